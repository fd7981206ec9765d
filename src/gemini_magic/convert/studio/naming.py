"""Names that an import makes of titles and variables: for files, for Python, for people."""

from __future__ import annotations

import html
import keyword
import re
import unicodedata

_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*\u202a-\u202e\u2066-\u2069]+')
#: Names that Windows keeps for devices.
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|\Z)", re.I)
#: What Markdown and its formulas read as more than a character.
_MARKS = re.compile(r"([\\`*_{}\[\]<>#!|$~&])|^([-+=])")
#: Bytes of a file's name without its suffix (file systems allow 255).
_LONGEST = 150


def file_name(title: str) -> str:
    """A title as the name of a file, on any system; never empty, never a path."""
    name = _UNSAFE.sub(" ", unicodedata.normalize("NFC", title))
    name = " ".join(name.split()).strip(". ")
    name = name.encode("utf-8", "ignore")[:_LONGEST].decode("utf-8", "ignore").strip(". ")
    if not name or _DEVICES.match(name):
        name = f"prompt {name}".strip()
    return name


def identifier(text: str, otherwise: str) -> str:
    """A text as a Python name: its letters and digits, in lower case."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").lower()
    name = re.sub(r"\W+", "_", plain).strip("_")[:40].strip("_")
    if not name:
        return otherwise
    if name[0].isdigit() or keyword.iskeyword(name) or keyword.issoftkeyword(name):
        return f"{otherwise}_{name}"
    return name


def inert(text: str) -> str:
    """A text as Markdown that shows it in one line, and does nothing else."""
    shown = "".join(char if char.isprintable() else " " for char in " ".join(text.split()))
    shown = re.sub("@(?=@)", "@ ", html.escape(shown, quote=False))
    return _MARKS.sub(_escaped, shown)


def _escaped(match: re.Match[str]) -> str:
    char = match[1] or match[2]
    return char if char == "&" else f"\\{char}"
