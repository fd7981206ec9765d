"""Reads the values of a few variables from a ``.env`` file, and nothing else.

Nothing of it enters ``os.environ``: a file that came with a project may bring a key, but set no
address, no setting and no library's switch.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from gemini_magic.errors import ConfigError

#: No ``.env`` is larger, in bytes.
MAX_SIZE = 64 * 1024

_LINE = r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)"
_QUOTED = r"""'([^']*)'\s*(?:\#.*)?|"((?:[^"\\]|\\.)*)"\s*(?:\#.*)?"""


def read(path: Path, names: Iterable[str]) -> dict[str, str]:
    """The values of these variables in a ``.env`` file; all else in it is passed over.

    Lines are ``NAME=value``, with ``export``, quotes and comments as in a shell, nothing expanded;
    the last one wins. Raises ConfigError where the file is no plain file or too large.
    """
    wanted = frozenset(names)
    found: dict[str, str] = {}
    for line in _text(path).splitlines():
        match = re.fullmatch(_LINE, line.strip())
        if match and match[1] in wanted:
            found[match[1]] = _unquoted(match[2])
    return found


def _text(path: Path) -> str:
    # A link could make us read, and quote, another file; a pipe would never end; a folder of this
    # name is somebody's virtual environment. O_NOFOLLOW, O_NONBLOCK and fstat: should the file be
    # exchanged between the two looks at it.
    try:
        if path.is_dir():
            return ""
        if path.is_symlink():
            raise _refused(path, "is a link, which is not followed")
        more = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | more)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise _refused(path, "is no plain file")
            content = file.read(MAX_SIZE + 1)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as problem:
        raise _refused(path, f"cannot be read ({problem.strerror})") from problem
    if len(content) > MAX_SIZE:
        raise _refused(path, "is larger than 64 kB")
    return content.decode("utf-8-sig", "replace")


def _refused(path: Path, why: str) -> ConfigError:
    return ConfigError(
        f"{path} {why}, so no key is taken from it.",
        "set the key in the environment, or store it with: %gemini key",
    )


def _unquoted(text: str) -> str:
    quoted = re.fullmatch(_QUOTED, text)
    if quoted is None:
        return re.split(r"(?:^|\s)#", text, maxsplit=1)[0].rstrip()
    if quoted[1] is not None:
        return quoted[1]
    return re.sub(r"\\(.)", r"\1", quoted[2])
