"""A panel's ways to cells and programs: get code, insert as cell, load a cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets

from gemini_magic.errors import UsageError
from gemini_magic.widgets.closing import close
from gemini_magic.widgets.panel_fold import Fold
from gemini_magic.widgets.panel_model import PanelModel
from gemini_magic.widgets.programs import Program, Programs


class CellTools:
    """``loaded`` is called with what is to be said when a cell was taken over."""

    def __init__(
        self,
        model: PanelModel,
        loaded: Callable[[str], None],
        act: Callable[[Callable[[], None]], None],
        act_later: Callable[[Callable[[], None]], None],
    ) -> None:
        self._model, self._loaded, self._act, self._act_later = model, loaded, act, act_later
        self._programs: Any = None
        self._code = Fold("Get code", self._code_area, opened=lambda: act_later(self._write))
        self._load = Fold("Load a cell", self._load_area, opened=self._list)
        self.widget: Any = ipywidgets.VBox([self._code.widget, self._load.widget])
        self.widget.add_class("gemini-magic-codes")

    # --- out ---

    def _code_area(self) -> Any:
        self._said = ipywidgets.HTML()
        again = ipywidgets.Button(description="Refresh", tooltip="write the code anew")
        again.on_click(lambda _: self._act_later(self._write))
        insert = ipywidgets.Button(
            description="Insert as cell", tooltip="put this prompt into the notebook as a cell"
        )
        insert.on_click(lambda _: self._act(self._insert))
        self._area = ipywidgets.VBox()
        return ipywidgets.VBox([ipywidgets.HBox([again, insert]), self._said, self._area])

    def _write(self) -> None:
        """Draw the cell and its programs."""
        cells = self._model.cells()
        text = "\n\n".join(self._model.source(cell) for cell in cells)
        notes = ("One cell for each turn; they share a chat.",) if len(cells) > 1 else ()
        shown = [Program("The cell", text, notes)]
        if any(cell.template.strip() or cell.options for cell in cells):
            shown += self._model.desk.programs(cells)
        old, self._programs = self._programs, Programs(shown).widget
        self._area.children = [self._programs]
        if old is not None:
            close(old)

    def _insert(self) -> None:
        self._said.value = ""
        cells = self._model.cells()
        said = self._model.desk.insert(self._model.source(cells[-1]))
        if len(cells) > 1:
            said += " It is the last turn alone; those before it are in the first tab."
        self._said.value = f'<div class="gemini-magic-can" role="status">{said}</div>'

    # --- in ---

    def _load_area(self) -> Any:
        self._ran = ipywidgets.Dropdown(description="A cell that ran", options=[("choose …", "")])
        self._text = ipywidgets.Textarea(
            description="or its text", rows=4, continuous_update=False,
            placeholder=f"%%{self._model.desk.magic} ...",
        )  # fmt: skip
        button = ipywidgets.Button(description="Load", tooltip="take this cell over into the panel")
        button.on_click(lambda _: self._act(self._take))
        fields = []
        for one in (self._ran, self._text):
            field = ipywidgets.VBox([one])
            field.add_class("gemini-magic-control")
            fields.append(field)
        return ipywidgets.VBox([*fields, ipywidgets.HBox([button])])

    def _list(self) -> None:
        offered = [("choose …", "")]
        for number, source in self._model.desk.ran():
            words = " ".join(source.split())
            offered.append((f"In [{number}] {words[:60]}", source))
        self._ran.options = offered
        self._ran.value = ""

    def _take(self) -> None:
        source = self._text.value or self._ran.value
        if not source:
            raise UsageError("choose a cell, or paste its text.")
        left = self._model.load(source)
        self._text.value = ""
        names = ", ".join(f"--{name}" for name in left)
        self._loaded(f"loaded, without {names}: a panel has its own way for that" if left else "")
