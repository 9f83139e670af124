"""A client of supervisord."""

from pathlib import Path
from typing import Any
from xmlrpc.client import ServerProxy

from supervisor.xmlrpc import SupervisorTransport


class _ClosingTransport(SupervisorTransport):  # type: ignore[misc]  # supervisor has no types
    """Closes its socket after each call, because the users of a proxy do not close it."""

    def request(self, *arguments: Any, **options: Any) -> Any:
        try:
            return super().request(*arguments, **options)
        finally:
            self.close()


def supervisor_at(socket: Path) -> Any:
    """Return the XML-RPC interface, for example `supervisor_at(socket).stopProcess("worker")`."""
    transport = _ClosingTransport(serverurl=f"unix://{socket}")
    return ServerProxy("http://localhost", transport=transport).supervisor
