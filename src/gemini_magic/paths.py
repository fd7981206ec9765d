"""Where this project's files live, and how the private ones among them are written.

The folders are the platform's own (platformdirs); ``GEMINI_MAGIC_HOME`` moves them all below one
folder. The functions that name a folder create nothing; ``private_folder`` does.
"""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gemini_magic.errors import ConfigError

APP = "gemini_magic"

#: The bits of a mode that let anyone but the owner in.
OTHERS = 0o077

#: The variables that move folders.
_MOVED_BY = (
    "GEMINI_MAGIC_HOME",
    "HOME",
    *(f"XDG_{kind}_HOME" for kind in ("CONFIG", "DATA", "STATE", "CACHE")),
    "XDG_RUNTIME_DIR",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
)

#: Seconds between two tries to get a lock.
_TICK = 0.05

_POSIX = os.name == "posix"


def config_file() -> Path:
    """The user's own configuration, which need not exist."""
    return _folder("config") / "gemini_magic.toml"


def data_dir() -> Path:
    """What must not be lost: the ledger, the cache of replies, the index of stored keys."""
    return _folder("data")


def state_dir() -> Path:
    """What belongs to this machine: the log of runs, the project files that were accepted."""
    return _folder("state")


def cache_dir() -> Path:
    """What can be fetched again: the weights of embedded models."""
    return _folder("cache")


def runtime_dir() -> Path:
    """What lasts as long as a process: the embedded model's rendezvous.

    The platform's folder for that where it is ours alone, else one in the state folder.
    """
    if not os.environ.get("GEMINI_MAGIC_HOME"):
        platform = _folder("runtime")
        if is_ours_alone(platform.parent):
            return platform
    return state_dir() / "runtime"


def _folder(kind: str) -> Path:
    return _chosen(kind, tuple(map(os.environ.get, _MOVED_BY)))


@functools.lru_cache(maxsize=32)
def _chosen(kind: str, _moved: tuple[str | None, ...]) -> Path:
    if home := os.environ.get("GEMINI_MAGIC_HOME"):
        return Path(home).expanduser().absolute() / kind

    import warnings

    import platformdirs

    with warnings.catch_warnings():  # platformdirs warns where there is no XDG_RUNTIME_DIR
        warnings.simplefilter("ignore")
        path: Path = getattr(platformdirs, f"user_{kind}_path")(APP, appauthor=False)
    return path


def is_ours_alone(path: Path) -> bool:
    """Whether this is a folder that belongs to us and that nobody else can look into.

    Windows keeps a user's folders private by inheritance, so there it need only exist.
    """
    try:
        status = path.lstat()
    except OSError:
        return False
    if not _POSIX:
        return path.is_dir()
    is_folder = path.is_dir() and not path.is_symlink()
    return is_folder and status.st_uid == os.geteuid() and not status.st_mode & OTHERS


def private_folder(path: Path) -> Path:
    """Make ``path`` (and what is missing above it) with mode 0700, whatever the umask says.

    Raises ConfigError where it cannot be made or belongs to somebody else.
    """
    missing = []
    for folder in (path, *path.parents):
        if folder.exists():
            break
        missing.append(folder)
    try:
        for folder in reversed(missing):
            folder.mkdir(mode=0o700, exist_ok=True)
        if not _POSIX:
            return path
        status = path.stat()
        if status.st_uid != os.geteuid():
            raise ConfigError(
                f"the folder {path} belongs to another user.",
                "choose a folder of your own with the variable GEMINI_MAGIC_HOME",
            )
        if status.st_mode & 0o777 != 0o700:
            path.chmod(0o700)
    except OSError as problem:
        raise ConfigError(
            f"the folder {path} cannot be used: {problem.strerror}.",
            "choose another with the variable GEMINI_MAGIC_HOME",
        ) from problem
    return path


def private_file(path: Path) -> None:
    """Make an empty file of mode 0600 if there is none, without opening one that is there.

    To close any handle of a SQLite file drops all locks that this process has on it.
    Source: https://sqlite.org/howtocorrupt.html, section 2.2.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    os.chmod(path, 0o600)


def inode(path: Path) -> int:
    """What tells the file that is there now from others; 0 where there is none."""
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0


def write_private(path: Path, content: bytes) -> None:
    """Replace the file ``path`` at once: readers see the old or the new content, nothing between.

    The file has mode 0600, its folder (made if missing) 0700.
    """
    private_folder(path.parent)
    replace(path, content)


def replace(path: Path, content: bytes) -> None:
    """The same in a folder that stays as it is. Raises OSError."""
    import tempfile

    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold ``path`` against other threads and processes while it is read, changed and written.

    The lock is a file beside it, never removed (removing it would let two holders in).
    """
    with held(private_folder(path.parent) / f".{path.name}.lock"):
        yield


def _never() -> bool:
    return False


@contextmanager
def held(lock: Path, given_up: Callable[[], bool] = _never) -> Iterator[bool]:
    """Hold a lock file against all other threads and processes.

    While another holds it, ``given_up`` is asked now and then; yields False once it says yes. The
    system drops the lock when its holder dies, and a process forked meanwhile does not keep it.
    """
    handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not (mine := _try_lock(handle)):
            if given_up():
                break
            time.sleep(_TICK)
        try:
            yield mine
        finally:
            if mine:
                _unlock(handle)
    finally:
        os.close(handle)


if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: int) -> bool:
        os.lseek(handle, 0, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(handle: int) -> None:
        os.lseek(handle, 0, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # any other error would not pass by waiting
            return False
        return True

    def _unlock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_UN)  # explicit: a forked copy of the handle would keep it
