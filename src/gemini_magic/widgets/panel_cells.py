"""A panel's ways to cells and programs: get code, insert as cell, load a cell and write it back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

from gemini_magic.errors import UsageError
from gemini_magic.widgets.closing import close
from gemini_magic.widgets.markup import escaped
from gemini_magic.widgets.panel_fold import Fold
from gemini_magic.widgets.panel_model import PanelModel
from gemini_magic.widgets.panel_page import Page, Told
from gemini_magic.widgets.panel_text import in_a_line
from gemini_magic.widgets.programs import Program, Programs


class CellTools:
    """``loaded`` is called with what is to be said when a cell was taken over; ``at_once`` does
    something with a text that stands in the prompt.

    Where a Lab extension is there, the page does what a kernel cannot: it knows which cell is
    selected, inserts cells at once, and writes into them. Elsewhere those buttons are not shown.
    """

    def __init__(
        self,
        model: PanelModel,
        loaded: Callable[[str], None],
        at_once: Callable[[str, Callable[[], None]], None],
        act: Callable[[Callable[[], None]], None],
        act_later: Callable[[Callable[[], None]], None],
    ) -> None:
        self._model, self._loaded, self._at_once = model, loaded, at_once
        self._act, self._act_later = act, act_later
        self.page = Page(self._told)
        self._programs: Any = None
        self._code = Fold("Get code", self._code_area, opened=lambda: act_later(self._write))
        self._load = Fold("Load a cell", self._load_area, opened=self._list)
        self.widget: Any = ipywidgets.VBox([self._code.widget, self._load.widget])
        self.widget.add_class("gemini-magic-codes")

    def _told(self, told: Told) -> None:
        does = {"insert": self._insert, "load": self._load_selected, "back": self._write_back}

        def work() -> None:
            try:
                does[told.does](told)
            finally:
                self.page.taken()

        if told.does in does:
            self._at_once(told.text, work)

    # --- out ---

    def _code_area(self) -> Any:
        self._said = ipywidgets.HTML()
        again = ipywidgets.Button(description="Refresh", tooltip="write the code anew")
        again.on_click(lambda _: self._act_later(self._write))
        insert = ipywidgets.Button(
            description="Insert as cell", tooltip="put this prompt into the notebook as a cell"
        )
        insert.on_click(lambda _: self._act(self._insert))
        insert.add_class("gemini-magic-insert")
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

    def _insert(self, told: Told | None = None) -> None:
        self._said.value = ""
        cells = self._model.cells()
        source = self._model.source(cells[-1])
        if told is not None and told.done is None:
            self.page.ask(told, "insert", source)
            return
        if told is not None and told.done:
            said = "It is below this cell, and has not run."
        else:
            said = self._model.desk.insert(source)
        if len(cells) > 1:
            said += " It is the last turn alone; those before it are in the first tab."
        self._said.value = _status(said)

    # --- in ---

    def _load_area(self) -> Any:
        selected = ipywidgets.Button(
            description="Load the selected cell",
            tooltip="take over the prompt's cell that was selected last",
        )
        selected.add_class("gemini-magic-load")
        # panel.js says here which one that is.
        which = ipywidgets.HTML('<span class="gemini-magic-selected"></span>')
        self._back = ipywidgets.Button(
            description="Write back into the cell",
            tooltip="put the prompt and the settings into the cell that they were loaded from",
        )
        self._back.add_class("gemini-magic-back")
        self._from = ipywidgets.HTML()
        rows = [ipywidgets.HBox(row, layout={"display": "none"})
                for row in ([selected, which], [self._back, self._from])]  # fmt: skip
        for row in rows:
            row.add_class("gemini-magic-in-lab")
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
        self._show_origin()
        area = ipywidgets.VBox([*rows, *fields, ipywidgets.HBox([button])])
        area.add_class("gemini-magic-ways-in")  # panel.js sees it appear
        return area

    def _show_origin(self, said: str = "") -> None:
        """Say which cell can be written back, and what became of it."""
        origin = self._model.origin
        self._back.disabled = origin is None
        said = said or (f"loaded from: {origin.words}" if origin is not None else "")
        self._from.value = _status(escaped(said))

    def _load_selected(self, told: Told) -> None:
        self._say(self._model.load(told.source, told.cell))

    def _write_back(self, told: Told) -> None:
        origin = self._model.origin
        if origin is None:
            raise UsageError("no cell was loaded that could be written back.")
        self._show_origin()
        if told.done is None:
            self.page.ask(told, "replace", self._model.written(origin), origin.cell)
        elif told.done:
            self._show_origin("Written, and not run. Undo in the cell takes it back.")
        else:
            raise UsageError(
                f"the cell is not there any more, or is no %%{self._model.desk.magic} cell that can"
                " be changed; nothing was written.",
                "Insert another one: Get code, Insert as cell.",
            )

    def _list(self) -> None:
        offered = [("choose …", "")]
        for number, source in self._model.desk.ran():
            offered.append((f"In [{number}] {in_a_line(source)}", source))
        self._ran.options = offered
        self._ran.value = ""

    def _take(self) -> None:
        source = self._text.value or self._ran.value
        if not source:
            raise UsageError("choose a cell, or paste its text.")
        left = self._model.load(source)
        self._text.value = ""
        self._say(left)

    def _say(self, left: Sequence[str]) -> None:
        """A cell was loaded, without these options."""
        self._show_origin()
        names = ", ".join(f"--{name}" for name in left)
        said = f"loaded, without {names}: a panel has its own way for that" if left else ""
        if left and self._model.origin is not None:
            said += "; written back, the cell has it as before"
        self._loaded(said)


def _status(text: str) -> str:
    return f'<div class="gemini-magic-can" role="status">{text}</div>' if text else ""
