"""How pictures, sound and film of an answer look, as MIME data."""

from __future__ import annotations

import base64
import html
from pathlib import Path
from typing import Any

from gemini_magic.pictures import Media, Unshowable, amount, look, thumbnail
from gemini_magic.types import Part

#: Sound and film with more bytes than this are named, not put into the notebook.
MAX_EMBEDDED = 10_000_000
#: The longer side of a picture in the notebook, in CSS pixels.
SIDE = 640
#: A picture with more bytes than this is put into the notebook as small as it is shown there.
_LARGEST = 4_000_000
#: Pictures that Lab does not draw: as PNG, where Pillow reads them.
_FOREIGN = {"image/avif": "AVIF", "image/heic": "HEIC"}


def media_data(
    part: Part, path: Path | None = None, *, unfinished: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    """MIME data and metadata of a part with data; ``path`` is where it was saved."""
    try:
        seen = look(part.data or b"", part.mime_type or "")
    except Unshowable as problem:
        return _said(f"<{problem}; its bytes are in reply.media>"), {}
    where = f", saved as {shown(path)}" if path else ", unfinished" if unfinished else ""
    if seen.kind == "picture":
        return _picture(seen, f"<{seen.label}{where}>")
    label = f"<{seen.kind}, {amount(len(seen.data))}{where}>"
    if len(seen.data) > MAX_EMBEDDED:
        return _said(label if path else f"{label[:-1]}; its bytes are in reply.media>"), {}
    return {"text/html": _player(seen), "text/plain": label}, {}


def shown(path: Path) -> str:
    """A path as people read it: from here where it is below here."""
    try:
        return path.absolute().relative_to(Path.cwd()).as_posix()
    except (ValueError, OSError):
        return str(path)


def _said(text: str) -> dict[str, Any]:
    return {"text/plain": text}


def _picture(seen: Media, label: str) -> tuple[dict[str, Any], dict[str, Any]]:
    if seen.mime_type == "image/svg+xml":
        # As the source of an <img> it runs no script and loads nothing; inline it would.
        style = f"max-width: 100%; max-height: {SIDE}px"
        page = f'<img style="{style}" alt="{html.escape(label)}" src="{_url(seen)}">'
        return {"text/html": page, "text/plain": label}, {}
    scale = SIDE / max(seen.width, seen.height)
    is_foreign = seen.mime_type in _FOREIGN
    small = thumbnail(seen.data, SIDE) if is_foreign or len(seen.data) > _LARGEST else None
    if small is not None:
        return {"image/png": base64.b64encode(small).decode("ascii"), "text/plain": label}, {}
    if is_foreign:
        form = _FOREIGN[seen.mime_type]
        return _said(f"{label[:-1]}; it is {form}, which cannot be drawn here>"), {}
    data = {seen.mime_type: base64.b64encode(seen.data).decode("ascii"), "text/plain": label}
    if scale >= 1:
        return data, {}
    return data, {seen.mime_type: {"width": max(1, round(seen.width * scale))}}


def _player(seen: Media) -> str:
    if seen.kind == "sound":
        return f'<audio controls preload="metadata" src="{_url(seen)}"></audio>'
    style = f"max-width: 100%; max-height: {SIDE}px"
    return f'<video controls preload="metadata" style="{style}" src="{_url(seen)}"></video>'


def _url(seen: Media) -> str:
    return f"data:{seen.mime_type};base64,{base64.b64encode(seen.data).decode('ascii')}"
