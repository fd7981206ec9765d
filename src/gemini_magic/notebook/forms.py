"""Answers shown as something else than Markdown: a web page, a table, JSON."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from typing import Any

from gemini_magic.types import first_fence

# The frame runs no script and is of no origin; this keeps it from loading anything.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "media-src data:; form-action 'none'; base-uri 'none'"
)
_PAGE = (
    '<!doctype html><html><head><meta charset="utf-8">'
    '<meta http-equiv="Content-Security-Policy" content="{policy}">'
    '<base target="_blank"><style>body {{ font-family: sans-serif; margin: 8px; '
    "background: white; color: black }}</style></head><body>{body}</body></html>"
)
# Beyond what the frame stops: a connection that is opened ahead (<link rel=preconnect>), another
# base, and links that would lead the frame itself away (with the base above, they do nothing).
_TAGS = re.compile(r"<(?=(?:link|meta|base)(?![a-z-]))", re.I)
_TARGET = re.compile(r"\btarget(?=\s*=)", re.I)


def page_data(text: str, plain: str) -> dict[str, Any]:
    """HTML of a model in a frame that runs no script and loads nothing."""
    source = first_fence(text)
    source = text if source is None else source
    source = _TARGET.sub("data-target", _TAGS.sub("<x-", source))
    source = source.encode("utf-8", "replace").decode("utf-8").replace("\0", "")
    page = _PAGE.format(policy=html.escape(_POLICY), body=source)
    style = "width: 100%; height: 400px; resize: vertical; border: 1px solid #bdbdbd"
    frame = (
        f'<iframe sandbox referrerpolicy="no-referrer" title="the answer as a page" '
        f'style="{style}" srcdoc="{_quoted(page)}"></iframe>'
    )
    return {"text/html": frame, "text/plain": plain}


def _quoted(page: str) -> str:
    """For an attribute, in which Lab would otherwise look for formulas."""
    return html.escape(page).replace("$", "&#36;").replace("\\", "&#92;")


def frame_data(frame: Any) -> dict[str, Any]:
    """A pandas DataFrame as pandas shows it, but without formulas in its cells."""
    import pandas

    # Where pandas may not limit them, a cell is as long as it likes.
    with pandas.option_context("display.html.use_mathjax", False, "display.max_colwidth", 200):
        drawn = frame._repr_html_()
        plain = str(frame)
    if drawn is None:
        return {"text/plain": plain}
    drawn = drawn.replace("$", "<span>$</span>").replace("\\", "<span>\\</span>")
    return {"text/html": drawn, "text/plain": plain}


def json_value(text: str, parsed: Any = None) -> Any:
    """An answer as JSON values: the object made of it, its text, or what is fenced in it.

    Services want an object around a list or a word, which is none of the answer. Raises
    ``ValueError`` where it is none, ``RecursionError`` where it is nested too deeply.
    """
    if parsed is not None:
        with suppress(ValueError):
            return plain_value(parsed)
    try:
        return json.loads(text)
    except ValueError:
        if (fenced := first_fence(text)) is not None:
            return json.loads(fenced)
        raise


def said(text: str, parsed: Any = None) -> str:
    """An answer's text for people: without the object that its schema put around it."""
    if parsed is None:
        return text
    try:
        value = json_value(text, parsed)
        if json_value(text) == value and not isinstance(value, str):
            return text
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return text


def plain_value(value: Any) -> Any:
    """An object of a schema's type as JSON values. Raises ``ValueError`` for what has none."""
    if isinstance(value, Enum):
        return plain_value(value.value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "_asdict"):
        return plain_value(value._asdict())
    if hasattr(value, "__dataclass_fields__"):
        return {name: plain_value(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        return {str(name): plain_value(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain_value(one) for one in value]
    from pydantic_core import to_jsonable_python  # made it, if it is none of the above

    return to_jsonable_python(value)
