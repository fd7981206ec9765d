"""One question of a panel: what a cell does, in a thread, so that the kernel stays free."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from gemini_magic.cell import GeminiCell
from gemini_magic.engine.question import Unfit, put
from gemini_magic.engine.run import Run
from gemini_magic.errors import GeminiMagicError
from gemini_magic.notebook.ask import check_form, conclude, follow, form_of, outcome_of
from gemini_magic.notebook.display import Ending, Output
from gemini_magic.notebook.notebook_view import NotebookView
from gemini_magic.types import CANCELLED, Message
from gemini_magic.widgets.panel_desk import Outcome

if TYPE_CHECKING:
    from gemini_magic.notebook.session import Session
    from gemini_magic.widgets.panel_place import Place

_STOPPED = "you stopped it; nothing had come."


class PlaceOutput(Output):
    """An output of a panel, where a cell's view expects one of its cell."""

    def __init__(self, place: Place) -> None:
        self._place, self._slot = place, place.slot()

    def draw(self, data: dict[str, Any], metadata: dict[str, Any] | None = None) -> None:
        self._slot.draw(data, metadata)

    def another(self) -> PlaceOutput:
        return PlaceOutput(self._place)

    def beside(self, data: dict[str, Any]) -> None:
        self._place.slot().draw(data)

    @property
    def drawn(self) -> bool:
        return self._slot.drawn


class PanelRun:
    """A question on its way. ``over`` is called once, in the thread that asked."""

    def __init__(
        self,
        session: Session,
        cell: GeminiCell,
        history: Sequence[Message],
        place: Place,
        over: Callable[[Outcome], None],
    ) -> None:
        self._session, self._cell, self._history = session, cell, history
        self._place, self._over = place, over
        self._lock = threading.Lock()
        self._stopped = False
        self._run: Run | None = None
        run = contextvars.copy_context().run
        name = "gemini_magic panel"
        threading.Thread(target=run, args=(self._work,), name=name, daemon=True).start()

    def stop(self) -> None:
        """Stop it, from any thread, any number of times; returns at once."""
        with self._lock:
            self._stopped, run = True, self._run
        if run is not None:
            run.cancel()

    def _work(self) -> None:
        try:
            outcome = self._asked()
        except GeminiMagicError as error:
            outcome = Outcome(error=str(error))
        except BaseException as problem:  # nobody else would see it
            outcome = Outcome(error=f"{type(problem).__name__}: {problem}")
        self._over(outcome)

    def _asked(self) -> Outcome:
        session, cell = self._session, self._cell
        check_form(cell)
        config = session.refresh()
        if self._stopped:
            return Outcome(error=_STOPPED)
        question = put(
            session.engine,
            config,
            cell,
            session.namespace.value,
            history=self._history,
            may_replay=lambda _: cell.flag("cached"),
        )
        view = self._follow(question.run)
        if not self._stopped and (again := question.corrected()) is not None:
            notice = "this does not fit the schema; asked once more"
            view.close(question.run.reply, Ending(notice, raw=True))
            question = again
            view = self._follow(question.run)
        reply, error = outcome_of(question, self._stopped)
        if not reply.parts and (error is not None or reply.finish_reason == CANCELLED):
            view.abandon()
            return Outcome(error=_STOPPED if error is None else str(error))
        reply = reply.replace(notices=(*reply.notices, *session.news(reply)))
        reply = conclude(
            session, cell, reply, view, raw=isinstance(error, Unfit), drawn=False
        )  # fmt: skip
        assert reply.request is not None
        cut = reply.finish_reason == CANCELLED
        said = "" if error is None else str(error)
        return Outcome(reply.request.messages[-1], reply, error is None and not cut, said)

    def _follow(self, run: Run) -> NotebookView:
        run.serves_errands = False  # functions of the user's get threads of their own
        with self._lock:
            self._run, stopped = run, self._stopped
        if stopped:
            run.cancel()
        cell = self._cell
        view = NotebookView(
            PlaceOutput(self._place),
            form_of(cell),
            remote_images=cell.flag("allow-remote-images"),
        )
        follow(run, view)
        return view
