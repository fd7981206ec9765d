"""The media of a panel's prompt: files that are dropped, pasted or chosen, and what is named."""

from __future__ import annotations

import hashlib
import html
import mimetypes
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets

from gemini_magic.errors import UsageError
from gemini_magic.media import HEAD, media_type
from gemini_magic.widgets.closing import close
from gemini_magic.widgets.panel_model import MEDIA, PanelModel

#: Characters of a file's name.
_LONGEST = 80


class MediaRow:
    """What goes with the prompt, each with a button that takes it away; and ways to add more."""

    def __init__(
        self,
        model: PanelModel,
        changed: Callable[[], None],
        act: Callable[[Callable[[], None]], None],
    ) -> None:
        self._model, self._changed, self._act = model, changed, act
        self._given = ipywidgets.HBox(layout={"flex_flow": "row wrap"})
        self._note = ipywidgets.HTML()
        self._upload = ipywidgets.FileUpload(
            multiple=True, description="Add files", tooltip="add pictures, sound, films, documents"
        )
        self._upload.add_class("gemini-magic-upload")
        self._upload.observe(self._uploaded, "value")
        self._name = ipywidgets.Text(
            placeholder="or a path, URL or variable", continuous_update=False,
            tooltip="a path, URL or variable that goes with the prompt; Enter adds it",
        )  # fmt: skip
        self._name.observe(self._named, "value")
        row = ipywidgets.HBox([self._upload, self._name])
        row.add_class("gemini-magic-bar")
        self.widget: Any = ipywidgets.VBox([self._given, self._note, row])
        self.widget.add_class("gemini-magic-media")

    def show(self) -> None:
        """Show what goes with the prompt."""
        old = self._given.children
        shown = []
        for name in MEDIA:
            value = self._model.given.get(name)
            for word in value if isinstance(value, tuple) else ():
                shown.append(self._chip(name, word))
        self._given.children = shown
        for one in old:
            close(one)
        barred = [why for name, why in self._model.who.barred.items()
                  if name in MEDIA and name in self._model.given]  # fmt: skip
        said = html.escape(f"pictures are left out: {barred[0]}") if barred else ""
        self._note.value = f'<div class="gemini-magic-off">{said}</div>' if said else ""

    def _chip(self, name: str, word: str) -> Any:
        shown = word if len(word) <= 40 else f"…{word[-39:]}"
        button = ipywidgets.Button(description=f"📎 {shown} ✕", tooltip=f"take {word} away")
        button.add_class("gemini-magic-small")
        button.on_click(lambda _: self._taken(name, word))
        return button

    def _taken(self, name: str, word: str) -> None:
        value = self._model.given.get(name)
        kept = tuple(one for one in value if one != word) if isinstance(value, tuple) else ()
        self._model.set(name, kept)
        self.show()
        self._changed()

    def _add(self, name: str, word: str) -> None:
        value = self._model.given.get(name)
        known = value if isinstance(value, tuple) else ()
        if word not in known:
            self._model.set(name, (*known, word))
        self.show()
        self._changed()

    def _named(self, change: dict[str, Any]) -> None:
        word = change["new"].strip()
        if word:
            kind = mimetypes.guess_type(word.partition("?")[0])[0] or ""
            self._add("image" if kind.startswith("image/") else "file", word)
            self._name.value = ""

    def _uploaded(self, change: dict[str, Any]) -> None:
        files = [(str(one["name"]), bytes(one["content"])) for one in change["new"]]
        if files:
            self._upload.value = ()
            self._act(lambda: self._keep(files))

    def _keep(self, files: list[tuple[str, bytes]]) -> None:
        for name, content in files:
            path = keep(self._model.desk.folder, name, content)
            kind = media_type(content[:HEAD], name) or ""
            self._add("image" if kind.startswith("image/") else "file", path.as_posix())


def keep(folder: Path, name: str, content: bytes) -> Path:
    """Put a file's content below ``folder``, where a cell finds it again: its path.

    The same content of the same name is there once. Raises ``UsageError``.
    """
    name = re.split(r"[/\\]", name)[-1]
    stem, dot, suffix = name.rpartition(".")
    stem, suffix = (stem, suffix) if dot else (name, "")
    stem = re.sub(r"[^\w.-]+", "-", stem).strip("-.")[:_LONGEST] or "file"
    suffix = re.sub(r"\W+", "", suffix)[:10]
    ending = f".{suffix}" if suffix else ""
    path = folder / f"{stem}{ending}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not _holds(path, content):
            if path.exists():
                path = folder / f"{stem}-{hashlib.sha256(content).hexdigest()[:8]}{ending}"
            if not path.exists():
                with path.open("xb") as file:
                    file.write(content)
    except OSError as problem:
        why = problem.strerror or type(problem).__name__
        raise UsageError(
            f"{name[:_LONGEST]} could not be kept in {folder}: {why}.",
            "Name a path of yours in the field beside it.",
        ) from None
    return path


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.stat().st_size == len(content) and path.read_bytes() == content
    except OSError:
        return False
