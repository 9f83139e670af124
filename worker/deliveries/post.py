"""Posts a message to a URL that a user chose.

Each address is checked after the name was resolved, when the socket is made. So no other answer of the DNS can lead to
another address. Redirects are not followed, because the user did not choose their targets.
"""

import asyncio
import socket
from collections.abc import Mapping

import aiohttp
from yarl import URL

from shared import addresses
from shared.allowed_hosts import AllowedHosts

MAX_HEADER_BYTES = 8 * 2**10


class DeliveryFailed(Exception):
    """The message is for the user. `status` is the answer's, or None if there was none."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class _AddressRefused(OSError):
    """A kind of OSError, so that the connector tries the host's other addresses."""


def post(
    url: str, body: str, headers: Mapping[str, str], allowed: AllowedHosts, timeout_s: float
) -> int:
    """Post a message. Return the answer's status, which is 2xx. The answer's body is not read.

    `timeout_s` limits the whole exchange, so that a receiver that sends a byte from time to time also times out. Raises
    DeliveryFailed.
    """
    try:
        # Keep the encoding of the given URL: some receivers check a signature of their own URL.
        target = URL(url, encoded=True)
        status, reason = asyncio.run(_post(target, body, headers, allowed, timeout_s))
    except TimeoutError as error:
        raise DeliveryFailed(f"The receiver did not answer within {timeout_s:g} s.") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise DeliveryFailed(_explain(error)) from error
    if not 200 <= status < 300:
        raise DeliveryFailed(f"The receiver answered {status} {reason}.{_hint(status)}", status)
    return status


async def _post(
    url: URL, body: str, headers: Mapping[str, str], allowed: AllowedHosts, timeout_s: float
) -> tuple[int, str]:
    def open_socket(info: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, (address, *_) = info
        _check(url, str(address), allowed)
        return socket.socket(family, kind, protocol)

    connector = aiohttp.TCPConnector(socket_factory=open_socket, force_close=True)
    async with (
        asyncio.timeout(timeout_s),
        aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None),
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            trust_env=False,
        ) as session,
        session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
    ):
        return answer.status, _printable(answer.reason or "")


def _check(url: URL, text: str, allowed: AllowedHosts) -> None:
    address = addresses.parse(text)
    is_allowed = allowed.allow(url.host or "", url.port or 0, address)
    if not is_allowed and not addresses.is_public(address):
        raise _AddressRefused(text)


def _explain(error: BaseException) -> str:
    """Return a sentence without the addresses that the service saw."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "The receiver's host is unknown."
    if isinstance(error, aiohttp.ClientSSLError):
        return "The receiver's TLS certificate is not valid, or the receiver does not use TLS."
    if isinstance(error, aiohttp.ClientConnectorError):
        if isinstance(error.os_error, _AddressRefused):
            return (
                "The receiver's address is private or special, so nothing was sent. The operator can allow it with "
                "WEBHOOK_ALLOWED_HOSTS."
            )
        return "The connection to the receiver failed."
    if isinstance(error, aiohttp.InvalidURL):
        return "The `callback_url` is not valid."
    return "The receiver did not send a valid HTTP answer."


def _hint(status: int) -> str:
    is_redirect = 300 <= status < 400
    return (
        " Redirects are not followed: upload with the final `callback_url`." if is_redirect else ""
    )


def _printable(text: str) -> str:
    return "".join(char for char in text if char.isprintable())[:50]
