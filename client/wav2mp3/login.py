"""The address and the user, from the environment or from the configuration folder."""

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from wav2mp3.errors import Wav2mp3Error
from wav2mp3.service import checked_url

DEFAULT_URL = "http://localhost:8000"


@dataclass(frozen=True, slots=True)
class Login:
    url: str
    user_id: str
    token: str


def path() -> Path:
    """Return the file that keeps the login."""
    home = Path.home()
    if sys.platform == "win32":
        folder = os.environ.get("APPDATA") or home / "AppData" / "Roaming"
    elif sys.platform == "darwin":
        folder = home / "Library" / "Application Support"
    else:
        folder = os.environ.get("XDG_CONFIG_HOME") or home / ".config"
    return Path(folder, "wav2mp3", "login.json")


def stored() -> Login | None:
    try:
        return Login(**json.loads(path().read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        raise Wav2mp3Error(f"{path()} is damaged. Delete it and run: wav2mp3 login") from None


def store(login: Login) -> None:
    """Write the login to a file that only this user can read."""
    file = path()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = file.with_name(f"{file.name}.{os.getpid()}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
        json.dump(asdict(login), opened)
    new.replace(file)


def find(url: str | None = None, user_id: str | None = None, token: str | None = None) -> Login:
    """Complete a login: arguments first, then environment variables, then the stored login."""
    url = url or os.environ.get("WAV2MP3_URL")
    user_id = user_id or os.environ.get("WAV2MP3_USER_ID")
    token = token or os.environ.get("WAV2MP3_TOKEN")
    if url and user_id and token:
        return Login(url, user_id, token)
    kept = stored()
    # The stored token is sent only to the service that created it.
    if kept is None or (url and checked_url(url) != kept.url):
        url = url or DEFAULT_URL
        raise Wav2mp3Error(f"There is no login for {url}. Run: wav2mp3 login {url}", "no_login")
    return Login(kept.url, user_id or kept.user_id, token or kept.token)
