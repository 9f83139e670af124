"""A user of the service that answers on API_PORT: `python -m local.demo [song.wav]`.

Creates a user, converts the WAV or a generated one with the client's command, and saves the MP3 in
the current folder.
"""

import json
import os
import subprocess
import sys
import tempfile
from itertools import count
from pathlib import Path

import httpx

from local.__main__ import configured_stack
from local.arpeggio import write_arpeggio
from local.environment import ROOT
from local.machine import StackError
from local.stack import Stack

TIMEOUT_S = 10


def main() -> int:
    try:
        environment = os.environ | _login(configured_stack())
        return _convert(" ".join(sys.argv[1:]), environment)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    except httpx.HTTPError as error:
        print(f"The service does not answer: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _login(stack: Stack) -> dict[str, str]:
    """Create a user. Return the variables by which the client knows it."""
    # This also works while the registration is closed.
    headers = {"X-Admin-Token": stack.environment.get("ADMIN_TOKEN", "")}
    # Without trust_env, because a proxy of the caller's shell cannot reach this machine.
    with httpx.Client(timeout=TIMEOUT_S, trust_env=False) as client:
        created = client.post(f"{stack.api_url}/users", json={"name": "demo"}, headers=headers)
        user = created.raise_for_status().json()
    login = {"WAV2MP3_USER_ID": user["id"], "WAV2MP3_TOKEN": user["token"]}
    return login | {"WAV2MP3_URL": stack.api_url, "PYTHONPATH": str(ROOT / "client")}


def _convert(wav_path: str, environment: dict[str, str]) -> int:
    command = [sys.executable, "-m", "wav2mp3"]
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(wav_path).expanduser() if wav_path else Path(folder, "demo.wav")
        if not wav_path:
            write_arpeggio(wav)
        convert = [*command, "convert", str(wav), "--out", _free_name(wav.stem), "--keep"]
        status = subprocess.run(convert, env=environment, check=False).returncode
    if status == 0:
        listing = [*command, "list", "--json"]
        listed = subprocess.run(listing, env=environment, check=True, stdout=subprocess.PIPE)
        print(f"Link    {json.loads(listed.stdout)['download_link']}")
    return status


def _free_name(stem: str) -> str:
    names = (f"{stem}.mp3" if number == 1 else f"{stem}-{number}.mp3" for number in count(1))
    return next(name for name in names if not Path(name).exists())


if __name__ == "__main__":
    sys.exit(main())
