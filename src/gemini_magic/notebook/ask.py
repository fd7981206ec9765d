"""Asks what a cell asks, draws the answer while it comes, and keeps what came."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gemini_magic.cell import GeminiCell
from gemini_magic.engine.question import Question, Unfit, put, targets_of, with_notices
from gemini_magic.engine.request import build
from gemini_magic.engine.run import POLL, Run
from gemini_magic.errors import GeminiMagicError, Interrupted
from gemini_magic.notebook.display import Ending, View, view_for
from gemini_magic.notebook.footer import dry_run, footer, metadata
from gemini_magic.notebook.prompts import running
from gemini_magic.types import Reply, digest, first_fence

if TYPE_CHECKING:
    from gemini_magic.notebook.session import Session

#: Seconds that an interrupted run has to close its connection before the cell ends without it.
FAREWELL = 0.2
_NO_JSON = "shown as text: the answer holds no JSON (--schema makes it so)"


def ask(session: Session, cell: GeminiCell) -> Reply | None:
    """Ask, draw and keep; None with ``--dry-run``.

    The reply is bound to ``--out`` here, and to ``_`` by whoever runs the cell, unless this raises
    because the answer failed half-way: then it is bound to both. Raises ``GeminiMagicError``.
    """
    config = session.begin()
    check_form(cell)
    chat, place = session.chat_of(cell)
    history = chat.history(place) if chat else ()
    evaluate = session.namespace.value
    if cell.flag("dry-run"):
        built = build(cell, evaluate, presets=config.generation, history=history)
        print(dry_run(built, targets_of(session.engine, config, cell), config))
        return None
    question = put(
        session.engine,
        config,
        cell,
        evaluate,
        history=history,
        may_replay=partial(session.may_replay, cell),
    )
    view = _view(session, cell)
    interrupted = not follow(question.run, view)
    if not interrupted and (again := question.corrected()) is not None:
        notice = "this does not fit the schema; asked once more"
        view.close(question.run.reply, Ending(notice, raw=True))
        question, view = again, _view(session, cell)
        interrupted = not follow(question.run, view)
    reply, error = outcome_of(question, interrupted)
    if error is not None and not reply.parts:
        view.abandon()
        for notice in () if cell.flag("quiet") else reply.notices:
            print(notice)  # what was asked on the way
        raise error
    reply = reply.replace(notices=(*reply.notices, *session.news(reply)))
    if chat is not None and error is None and not interrupted:
        turns = session.add_turn(chat, place, reply)
        reply = reply.replace(notices=(*reply.notices, *turns))
    session.prompts.add(running(session.shell), reply, digest(cell.template))
    reply = conclude(
        session, cell, reply, view, raw=isinstance(error, Unfit), drawn=not cell.flag("quiet")
    )
    if error is not None or interrupted:
        session.bind(reply)
    if error is not None:
        raise error
    if interrupted:
        kept = "what had come is kept in _" if reply.parts else "nothing had come"
        raise Interrupted(f"you stopped it; {kept}.")
    if cell.text("as") == "code" and (code := first_fence(reply.text)) is not None:
        session.shell.set_next_input(code)
    return reply


def check_form(cell: GeminiCell) -> None:
    """Raise ``MissingExtra`` where the answer could not be shown as ``--as`` says."""
    if cell.text("as") == "df":
        from gemini_magic.engine.schema_frame import need_pandas

        need_pandas()


def form_of(cell: GeminiCell) -> str:
    """What a cell's answer is shown as."""
    return cell.text("as") or ("markdown" if cell.text("schema") is None else "json")


def _view(session: Session, cell: GeminiCell) -> View:
    return view_for(
        session.shell,
        form_of(cell),
        quiet=cell.flag("quiet"),
        remote_images=cell.flag("allow-remote-images"),
    )


def follow(run: Run, view: View) -> bool:
    """Draw a run until it is over; False if the user interrupted it."""
    try:
        while not run.over:
            wait = view.delay()
            if wait > 0:
                run.wait(min(wait, POLL))
                view.take(run.poll(0))
            else:
                view.take(run.poll(POLL))
        return True
    except KeyboardInterrupt:
        run.cancel()
        run.wait(FAREWELL)
        with suppress(KeyboardInterrupt):
            view.take(run.poll(0))
        return False


def outcome_of(question: Question, interrupted: bool) -> tuple[Reply, BaseException | None]:
    """The reply of a run that is over, and what is wrong with it, if anything is."""
    if interrupted and question.run.error is None:
        return with_notices(question.run.reply, question.built), None
    try:
        return question.reply(), None
    except GeminiMagicError as problem:
        return getattr(problem, "reply", None) or question.run.reply, problem


def conclude(
    session: Session, cell: GeminiCell, reply: Reply, view: View, *, raw: bool, drawn: bool
) -> Reply:
    """Save the media of a reply, draw its end, remember and bind it to ``--out``; the reply, with
    what that told. ``raw``: it does not fit its schema; ``drawn``: the running cell shows it."""
    saved: Sequence[Path | None] = ()
    if reply.media and not reply.cached:
        reply, saved = _saved(session, cell, reply)
    frame = None
    if cell.text("as") == "df" and reply.complete and not raw:
        frame, problem = _frame_of(reply)
        if problem:
            reply = reply.replace(notices=(*reply.notices, problem))
    if cell.text("as") == "json" and reply.complete and not raw and not _holds_json(reply):
        reply = reply.replace(notices=(*reply.notices, _NO_JSON))
    session.remember(reply, drawn=drawn)
    told = metadata(reply, digest(cell.template))
    view.close(reply, Ending(footer(reply, saved), told, saved, frame, raw))
    if (name := cell.text("out")) is not None:
        session.namespace.bind({name: reply})
    return reply


def _saved(session: Session, cell: GeminiCell, reply: Reply) -> tuple[Reply, Sequence[Path | None]]:
    """Keep the media of a reply as files and in the gallery; the files, in their order."""
    from gemini_magic.notebook.saving import FOLDER, save

    folder = Path(cell.text("save") or FOLDER)
    done = save(reply, folder, prompt=cell.template, cell=cell.to_source())
    session.gallery().add(reply, done, prompt=cell.template, cell=cell.to_source())
    if done.problem:
        reply = reply.replace(notices=(*reply.notices, done.problem))
    return reply, done.paths


def _holds_json(reply: Reply) -> bool:
    from gemini_magic.notebook.forms import json_value

    try:
        json_value(reply.text, reply.parsed)
    except (ValueError, RecursionError):
        return False
    return True


def _frame_of(reply: Reply) -> tuple[Any, str]:
    """An answer as a DataFrame, or why it is none."""
    from gemini_magic.engine.schema_frame import frame

    try:
        return frame(reply.json if reply.parsed is None else reply.parsed), ""
    except (ValueError, TypeError, RecursionError):
        return None, "no table: the answer is not JSON (--schema makes it so)"
