"""``%gemini panel``: run settings, prompt and conversation to click on, beside the cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gemini_magic import paths
from gemini_magic.errors import UsageError
from gemini_magic.notebook.panel_desk import SessionDesk
from gemini_magic.widgets.markup import SMALL, escaped, readable
from gemini_magic.widgets.panel_model import PanelModel
from gemini_magic.widgets.panel_presets import Presets
from gemini_magic.widgets.still import Still

if TYPE_CHECKING:
    from gemini_magic.notebook.session import Session
    from gemini_magic.widgets.panel import Panel


class PanelView:
    """A panel, live where widgets are; elsewhere what it holds, and the cell that says the same."""

    def __init__(self, model: PanelModel, panel: Panel | None) -> None:
        self._model, self._panel = model, panel
        self._still = Still(panel.widget) if panel is not None else None

    def close(self) -> None:
        """Take the panel away, and stop what it does."""
        if self._panel is not None:
            self._panel.close()
            self._panel = None

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"text/plain": self._text(), "text/html": self._html()}

    def _ipython_display_(self) -> None:
        from IPython.display import display

        outputs: tuple[dict[str, Any], ...] = (self._repr_mimebundle_(),)
        if self._still is not None:
            outputs = self._still.outputs(self._html(), self._text())
        for data in outputs:
            display(data, raw=True)  # type: ignore[no-untyped-call]

    def _said(self) -> tuple[str, list[tuple[str, str]]]:
        """Who is asked, and what is set."""
        model = self._model
        rows = [
            (f"--{name}", ", ".join(value) if isinstance(value, tuple) else str(value))
            for name, value in model.cell.options
        ]
        return model.who.problem or model.who.words, rows

    def _text(self) -> str:
        who, rows = self._said()
        lines = [f"The panel of gemini_magic {who}."]
        lines += [f"  {name:<20} {readable(value)}" for name, value in rows]
        turns = self._model.turns.path
        lines += [f"  {len(turns)} turns so far"] * bool(turns)
        lines.append("It needs a notebook with widgets. As a cell:")
        return "\n".join([*lines, self._source()])

    def _html(self) -> str:
        who, rows = self._said()
        table = "".join(
            f'<tr><th style="text-align: left; font-weight: 400">{escaped(name)}</th>'
            f'<td style="text-align: left">{escaped(value)}</td></tr>'
            for name, value in rows
        )
        answers = "".join(
            f"<p><b>{escaped(turn.cell.template)}</b></p><p style='white-space: pre-wrap'>"
            f"{escaped(turn.reply.text)}</p>"
            for turn in self._model.turns.path
        )
        return (
            f'<div style="line-height: 1.5"><div><b>Gemini panel</b> · {escaped(who)}</div>'
            f"{answers}{f'<table>{table}</table>' if rows else ''}"
            f'<div style="{SMALL}">The panel is live where its kernel runs: run the cell. '
            f"The same as a cell:</div><pre>{escaped(self._source())}</pre></div>"
        )

    def _source(self) -> str:
        cell = self._model.cells()[-1]
        text = self._model.source(cell)
        return text if cell.template.strip() else f"{text}\nyour prompt"


def run(session: Session, words: Sequence[str]) -> PanelView:
    """Do what ``%gemini panel words`` says. Raises ``GeminiMagicError``.

    A number loads the ``%%gemini`` cell that ran as In [number].
    """
    name = session.magic.name
    if len(words) > 1 or not all(word.isdecimal() for word in words):
        raise UsageError(
            f"usage: %{name} panel [NUMBER]", f"To send it as a prompt, write: %{name} -- panel ..."
        )
    session.begin()
    desk = SessionDesk(session)
    model = PanelModel(desk, Presets(paths.config_file().with_name("panel_presets.json")))
    if words:
        ran = dict(desk.ran())
        if int(words[0]) not in ran:
            raise UsageError(
                f"In [{words[0]}] is no %%{name} cell of this session.",
                f"Those that are: {', '.join(map(str, ran)) or 'none so far'}",
            )
        for left in model.load(ran[int(words[0])]):
            print(f"without --{left}: a panel has its own way for that")
    cell_id = session.running_cell()[0]
    if not cell_id:  # a terminal, or a notebook that is run as a whole
        return PanelView(model, None)
    from gemini_magic.widgets.panel import Panel

    if (old := session.panels.pop(cell_id, None)) is not None:
        old.close()  # its place in the notebook is gone
    session.panels[cell_id] = PanelView(model, Panel(model))
    return session.panels[cell_id]
