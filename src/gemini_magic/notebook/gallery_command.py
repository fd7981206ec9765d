"""``%gemini gallery``: what this session made and what the folder holds, to be used again."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gemini_magic.cell import GeminiCell
from gemini_magic.errors import GeminiMagicError, UsageError
from gemini_magic.notebook import saving
from gemini_magic.notebook.players import shown
from gemini_magic.notebook.tables import text_table
from gemini_magic.option_table import OPTIONS
from gemini_magic.pictures import MAX_BYTES, Unshowable, look, pil, thumbnail
from gemini_magic.types import Part, Reply
from gemini_magic.widgets.markup import escaped, readable

if TYPE_CHECKING:
    from gemini_magic.widgets.gallery import Card

_SUFFIXES = {
    ".png": "picture", ".jpg": "picture", ".jpeg": "picture", ".gif": "picture",
    ".webp": "picture", ".avif": "picture", ".heic": "picture", ".svg": "picture",
    ".wav": "sound", ".mp3": "sound", ".ogg": "sound",
    ".flac": "sound", ".m4a": "sound", ".aac": "sound", ".mp4": "film", ".webm": "film",
}  # fmt: skip
#: Pixels of a thumbnail's longer side, and how many are in a grid that stays in the notebook.
_SIDE, _STILL = 240, 24
#: Files that are listed in a terminal.
_LISTED = 200
#: Unsaved media that are kept in memory, newest last.
_UNSAVED = 50
#: Characters of a prompt that a card shows.
_SHORT = 160
_MODEL = re.compile(r"[\w.@+-]+(?:[:/][\w.@+-]+)*")


class Item(NamedTuple):
    """A picture, sound or film: its file, or its bytes where it could not be saved.

    ``said`` is what is known of it, where that is this session's own word.
    """

    path: Path | None = None
    part: Part | None = None
    said: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        return self.path.name if self.path else "not saved"

    @property
    def kind(self) -> str:
        if self.path is not None:
            return _SUFFIXES.get(self.path.suffix.lower(), "file")
        try:
            return (
                look(self.part.data or b"", self.part.mime_type or "").kind if self.part else "file"
            )
        except Unshowable:
            return "file"

    def about(self) -> dict[str, Any]:
        """What made it; a file from elsewhere may say anything."""
        if self.said is not None:
            return self.said
        return (saving.read_metadata(self.path) if self.path else None) or {}

    def thumbnail(self) -> bytes | None:
        if self.part is not None:
            return thumbnail(self.part.data or b"", _SIDE)
        try:
            if self.path is None or self.path.stat().st_size > MAX_BYTES:
                return None
            return thumbnail(self.path.read_bytes(), _SIDE)
        except OSError:
            return None

    def value(self) -> Any:
        """What a placeholder takes: the picture as Pillow has it, else its path or its part."""
        if self.kind == "picture":
            try:
                if self.part is not None:
                    return pil(self.part.data or b"", self.part.mime_type or "")
                if self.path is not None and self.path.stat().st_size <= MAX_BYTES:
                    return pil(self.path.read_bytes(), "image/png")
            except (GeminiMagicError, OSError):
                pass
        return self.path or self.part


class Album:
    """What this session made, in its order."""

    def __init__(self) -> None:
        self._items: list[Item] = []
        self._files: dict[bytes, Path] = {}  # by the SHA-256 of what came

    def add(self, reply: Reply, saved: saving.Saved, *, prompt: str, cell: str = "") -> None:
        """Remember the media of a reply; those that are in files, by their files alone."""
        said = saving.about(reply, prompt, time.time(), cell) if reply.media else {}
        paths = saved.paths or (None,) * len(reply.media)
        for part, path in zip(reply.media, paths, strict=False):
            self._items.append(Item(path, None if path else part, said))
            if path is not None:
                self._files[_digest(part)] = path
        unsaved = [item for item in self._items if item.path is None]
        for item in unsaved[:-_UNSAVED]:
            self._items.remove(item)

    def files_of(self, reply: Reply) -> tuple[Path | None, ...]:
        """The files of ``reply.media``, in their order; None for one that has none any more."""
        found = (self._files.get(_digest(part)) for part in reply.media)
        return tuple(path if path is not None and path.exists() else None for path in found)

    def items(self, folder: Path) -> list[Item]:
        """What the session made and what the folder holds, newest first."""
        found = [item for item in self._items if item.path is None or item.path.exists()]
        known = {item.path.absolute() for item in found if item.path}
        files = [path for path in _files(folder) if path.absolute() not in known]
        return [*reversed(found), *map(Item, files)]


def _digest(part: Part) -> bytes:
    return hashlib.sha256(part.data or b"").digest()


def run(
    shell: Any, album: Album, words: Sequence[str], magic_name: str, *, folder: Path, widgets: bool
) -> None:
    """Do what ``%gemini gallery words`` says; ``folder`` is where files go by default.

    ``widgets`` says whether a live front end shows the cell. Raises UsageError.
    """
    if len(words) > 1:
        raise UsageError(
            f"usage: %{magic_name} gallery [DIR]",
            f"To send it as a prompt, write: %{magic_name} -- gallery ...",
        )
    if words:
        folder = Path(words[0]).expanduser()
        if not folder.is_dir():
            raise UsageError(
                f"there is no folder {words[0]}.",
                f"usage: %{magic_name} gallery [DIR]",
            )
    items = (Album() if words else album).items(folder)
    if not items:
        print(
            f"No pictures yet, neither of this session nor in {shown(folder)}. "
            f"Make one: %%{magic_name} -m IMAGE-MODEL"
        )
        return
    if not hasattr(shell, "kernel"):
        print(_text(items[:_LISTED]))
        return
    plain = {"text/plain": _text(items[:_STILL])}
    if not widgets:
        shell.display_pub.publish({"text/html": _still(items), **plain}, {})
        return
    from gemini_magic.widgets.gallery import Gallery

    bound: dict[int, str] = {}

    def use(number: int) -> str:
        if number not in bound:
            name = _free(items[number].kind, shell.user_ns)
            shell.user_ns[name] = items[number].value()
            bound[number] = name
        name = bound[number]
        return f"{items[number].name} is bound to {name}. Write {{{{ {name} }}}} in a prompt."

    gallery = Gallery(
        len(items),
        lambda start, stop: [_card(item) for item in items[start:stop]],
        use,
        lambda number: cell_of(items[number], magic_name),
    )
    view = gallery.widget.get_view_spec()
    shell.display_pub.publish({"application/vnd.jupyter.widget-view+json": view, **plain}, {})


def cell_of(item: Item, magic_name: str) -> str:
    """The text of a cell that would make it anew.

    A file's own word becomes a prompt and settings, never an option that does more, and no
    placeholder of it is evaluated: the file may be anyone's.
    """
    said = item.about()
    cell = said.get("cell")
    if item.said is not None and isinstance(cell, str) and cell:
        return cell
    prompt = said.get("prompt")
    prompt = prompt if isinstance(prompt, str) else ""
    settings = said.get("settings")
    given: dict[str, Any] = {}
    model = ":".join(str(said[one]) for one in ("backend", "model") if said.get(one))
    if _MODEL.fullmatch(model):
        given["model"] = model
    if "{{" in prompt:
        given["raw"] = True
    plain = GeminiCell.of(prompt, given)
    if isinstance(settings, dict):
        for option in OPTIONS:
            if option.setting and (value := settings.get(option.key)) is not None:
                given[option.name] = tuple(value) if isinstance(value, list) else value
    for made in (GeminiCell.of(prompt, given), plain, GeminiCell.of(prompt)):
        try:
            source = GeminiCell.of(made.template, dict(made.options)).to_source()
            if GeminiCell.parse(source).to_source() == source:
                return source.replace("%%gemini", f"%%{magic_name}", 1)
        except (GeminiMagicError, TypeError, ValueError, AttributeError):
            continue
    raise UsageError(f"{item.name} does not say how it was made.")


def _files(folder: Path) -> list[Path]:
    """The media in a folder, newest first."""
    found = []
    try:
        for path in folder.iterdir():
            if path.suffix.lower() in _SUFFIXES and not path.name.startswith("."):
                try:
                    found.append((path.stat().st_mtime, path.name, path))
                except OSError:
                    continue
    except OSError:
        return []
    return [path for _, _, path in sorted(found, reverse=True)]


def _card(item: Item, *, draw: bool = True) -> Card:
    from gemini_magic.widgets.gallery import Card

    said = item.about()
    details = [" · ".join(_words(said.get(one)) for one in ("model", "backend") if said.get(one))]
    settings = said.get("settings")
    if isinstance(settings, dict):
        pairs = (f"{_words(name)} {_words(value)}" for name, value in settings.items())
        details.append(_cut(", ".join(pairs)))
    return Card(
        item.name,
        _cut(_words(said.get("prompt", ""))),
        tuple(filter(None, details)),
        item.thumbnail() if draw else None,
    )


def _words(value: Any) -> str:
    text = value if isinstance(value, str) else str(value)[:_SHORT]
    return " ".join(readable(text[: 10 * _SHORT].encode("utf-8", "replace").decode()).split())


def _cut(text: str) -> str:
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}…"


def _free(kind: str, variables: dict[str, Any]) -> str:
    """A name of the kind that no variable has."""
    number = 1
    while f"{kind}{number}" in variables:
        number += 1
    return f"{kind}{number}"


def _text(items: Sequence[Item]) -> str:
    cards = [_card(item, draw=False) for item in items]
    rows = [(card.name, card.prompt, " · ".join(card.details)) for card in cards]
    return text_table(("file", "prompt", "made by"), rows)


def _still(items: Sequence[Item]) -> str:
    from gemini_magic.widgets.gallery import card_html

    cards = "".join(
        f'<div style="width: 190px">{card_html(_card(item))}</div>' for item in items[:_STILL]
    )
    more = len(items) - _STILL
    rest = f"<div>{escaped(f'… {more:,} more')}</div>" if more > 0 else ""
    return f'<div style="display: flex; flex-wrap: wrap; gap: 12px">{cards}</div>{rest}'
