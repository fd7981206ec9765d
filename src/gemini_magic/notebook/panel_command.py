"""``%gemini panel``: run settings, prompt and conversation to click on, beside the cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gemini_magic import paths
from gemini_magic.errors import UsageError
from gemini_magic.notebook.display import Output
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

    def __init__(self, shell: Any, model: PanelModel, panel: Panel | None) -> None:
        self._shell, self._model, self.panel = shell, model, panel
        self._output: Output | None = None
        self._still: Still | None = None
        if panel is not None:
            self._still = Still(panel.widget)
            panel.ended = self._keep

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"text/plain": self._text(), "text/html": self._html()}

    def _ipython_display_(self) -> None:
        output = self._output = Output(self._shell)
        if self._still is None:
            output.draw(self._repr_mimebundle_())
            return
        still, *live = self._still.outputs(self._html(), self._text())
        output.draw(still)
        for data in live:
            output.beside(data)

    def _keep(self) -> None:
        """Draw anew what stays in the saved notebook."""
        panel, still, output = self.panel, self._still, self._output
        if panel is None or still is None or output is None or panel.widget.comm is None:
            return
        output.draw(still.outputs(self._html(), self._text())[0])

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
            f"{escaped(turn.reply.text if turn.reply is not None else '(no answer)')}</p>"
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

    A number loads the ``%%gemini`` cell that ran as In [number]. Without one, a cell that
    has a panel already gets another with what that one holds.
    """
    name = session.magic.name
    if len(words) > 1 or not all(word.isdecimal() for word in words):
        raise UsageError(
            f"usage: %{name} panel [NUMBER]", f"To send it as a prompt, write: %{name} -- panel ..."
        )
    session.begin()
    cell_id = session.running_cell()[0]  # none in a terminal, or a notebook that is run as a whole
    before = session.panels[cell_id].panel if cell_id in session.panels else None
    if before is not None and not words:
        model = before.model
        model.look()
    else:
        model = _model(session, words)
    if not cell_id:
        return PanelView(session.shell, model, None)
    from gemini_magic.widgets.panel import Panel

    if before is not None and words:
        before.close()  # its place in the notebook is gone
        before = None
    session.panels[cell_id] = PanelView(session.shell, model, Panel(model, before))
    return session.panels[cell_id]


def _model(session: Session, words: Sequence[str]) -> PanelModel:
    desk = SessionDesk(session)
    model = PanelModel(desk, Presets(paths.config_file().with_name("panel_presets.json")))
    if words:
        source = desk.source(int(words[0]))
        if source is None:
            known = ", ".join(str(number) for number, _ in desk.ran())
            raise UsageError(
                f"In [{words[0]}] is no %%{desk.magic} cell of this session.",
                f"Those that are: {known or 'none so far'}",
            )
        for left in model.load(source):
            print(f"without --{left}: a panel has its own way for that")
    return model
