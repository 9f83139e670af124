"""Checks the `callback_url` of an upload. The host's addresses are checked again at each delivery."""

from urllib.parse import urlsplit
from uuid import UUID

from shared import addresses, db
from shared.allowed_hosts import AllowedHosts
from shared.errors import BadOptions, NoWebhookSecret
from shared.settings import Settings

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_URL_CHARS = 2000


def check_url(url: str) -> str:
    """Return the URL if it is valid. Raises BadOptions."""
    if len(url) > MAX_URL_CHARS:
        raise BadOptions(f"`callback_url` may have at most {MAX_URL_CHARS} characters.")
    if not all("!" <= char <= "~" for char in url):
        raise BadOptions(
            "`callback_url` may contain ASCII characters only, without spaces. Percent-encode others, and write the "
            "host in Punycode."
        )
    try:
        parts = urlsplit(url)
        is_complete = parts.scheme in DEFAULT_PORTS and parts.port != 0
        is_complete &= _is_host(parts.hostname or "")
    except ValueError:
        is_complete = False
    if not is_complete:
        raise BadOptions(
            "`callback_url` must be a complete http or https URL, such as https://example.com/hook."
        )
    return url


def _is_host(host: str) -> bool:
    """Return True for a host name or an address. Raises ValueError for a host that only some programs read as one."""
    if host.rstrip(".").rpartition(".")[2][:1].isdigit():
        addresses.parse(host)
    return bool(host)


def check_delivery(user_id: UUID, url: str, settings: Settings) -> None:
    """Check that deliveries are possible. Raises BadOptions for a private address, and NoWebhookSecret."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]
    if not _may_be_public(host, port, AllowedHosts(settings.webhook_allowed_hosts)):
        raise BadOptions(
            "`callback_url` has a private or special address. Use a public one, or ask the operator to allow it with "
            "WEBHOOK_ALLOWED_HOSTS."
        )
    with db.transaction() as session:
        if not db.webhook_secrets.exists(session, user_id):
            raise NoWebhookSecret


def _may_be_public(host: str, port: int, allowed: AllowedHosts) -> bool:
    try:
        address = addresses.parse(host)
    except ValueError:
        return True  # a name, which is resolved at delivery
    return addresses.is_public(address) or allowed.allow(host, port, address)


def origin(url: str) -> str:
    """Return the URL without its path, query and user, which may contain a password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
