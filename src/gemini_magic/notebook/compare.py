"""``%%gemini --compare a,b,c``: one prompt, several models at once, side by side."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from gemini_magic.cell import GeminiCell
from gemini_magic.engine.question import parsed, start, with_notices
from gemini_magic.engine.request import Built, build
from gemini_magic.engine.run import Run
from gemini_magic.engine.schema_frame import need_pandas
from gemini_magic.engine.targets import choose
from gemini_magic.errors import BackendError, GeminiMagicError, Interrupted, UsageError
from gemini_magic.notebook.ask import FAREWELL
from gemini_magic.notebook.compare_view import Column, view_for
from gemini_magic.notebook.footer import dry_run, metadata
from gemini_magic.types import CANCELLED, Reply, Target, digest

if TYPE_CHECKING:
    import pandas as pd

    from gemini_magic.config import Config
    from gemini_magic.notebook.session import Session

#: Seconds between two looks at the runs.
_TICK = 0.02

#: Why an option says nothing of a comparison.
_SENSELESS = {
    "model": "--compare says who is asked",
    "route": "--compare says who is asked",
    "cached": "a comparison asks anew",
    "as": "the answers are shown as text; the DataFrame holds the replies",
    "repair": "the answers are shown as they came",
    "save": "take the pictures from the DataFrame's replies",
}
#: What to do in place of one of these.
_INSTEAD = {
    "model": ", or name it in --compare",
    "as": "; then, for one of them: _.reply[0]",
    "repair": ", or ask one of the models alone",
    "save": "; then, for one of them: _.reply[0].images[0].save('picture.png')",
}


class _Asked:
    """One model of a comparison, and what came of it."""

    def __init__(self, target: Target, run: Run) -> None:
        self.target = target
        self.run = run
        self.column = Column(target)
        self.error: BaseException | None = None
        self.over = False

    @property
    def reply(self) -> Reply:
        return self.column.reply or self.run.reply

    def look(self, built: Built) -> None:
        """Take what has happened since the last look; ``KeyboardInterrupt`` alone is raised."""
        if self.over:
            return
        self.column.take(self.run.poll(0))
        if self.run.over:
            self.end(built)

    def end(self, built: Built) -> None:
        """Nothing more will come."""
        reply, self.error = with_notices(self.run.reply, built), self.run.error
        if self.error is None and reply.finish_reason != CANCELLED:
            reply, self.error = parsed(reply, built)
        self.over = True
        self.column.close(reply, _told(self.error))


def compare(session: Session, cell: GeminiCell) -> pd.DataFrame | None:
    """Ask all models that a cell's ``--compare`` names, draw the answers, and return them.

    The DataFrame has one row a model: ``model``, ``backend``, ``text``, ``parsed`` (with a
    schema), ``seconds``, ``first``, ``input_tokens``, ``output_tokens``, ``cost`` (USD),
    ``finish_reason``, ``error`` and ``reply``. It is bound to ``--out`` here, and to ``_`` by
    whoever runs the cell, unless this raises: then it is bound to both. Raises ``UsageError``,
    ``ConfigError`` and ``MissingExtra`` before anything is sent, ``BackendError`` where all models
    failed, and ``Interrupted``. None with ``--dry-run``.
    """
    for option, why in _SENSELESS.items():
        if cell.get(option) is not None:
            raise UsageError(
                f"--compare does not go with --{option}: {why}; nothing was sent.",
                f"Leave --{option} out{_INSTEAD.get(option, '')}.",
            )
    need_pandas()
    config = session.begin()
    targets = _targets(session, config, cell)
    chat, place = session.chat_of(cell)
    built = build(
        cell,
        session.namespace.value,
        presets=config.generation,
        history=chat.history(place) if chat else (),
    )
    if cell.flag("dry-run"):
        print(f"would ask {len(targets)} models at once:")
        for target in targets[:-1]:
            print(f"would ask  {target.model} on {target.backend}")
        print(dry_run(built, targets[-1:], config))
        return None
    engine = session.engine
    for target in targets:  # so that no SDK is imported on the loop while others connect there
        engine.warm_up(target)
    asked = [_Asked(target, start(engine, config, cell, built, (target,))) for target in targets]
    view = view_for(session.shell, [one.column for one in asked], quiet=cell.flag("quiet"))
    interrupted = not _follow(asked, built, view)
    template = digest(cell.template)
    view.close({"gemini_magic": {"compare": [metadata(one.reply, template) for one in asked]}})
    frame = _frame(asked, with_parsed=built.schema is not None)
    session.last = frame
    if (name := cell.text("out")) is not None:
        session.namespace.bind({name: frame})
    if interrupted or not any(one.error is None for one in asked):
        session.bind(frame)
    if interrupted:
        raise Interrupted("you stopped it; what had come is kept in _.")
    _raise_if_all_failed(asked)
    return frame


def _targets(session: Session, config: Config, cell: GeminiCell) -> tuple[Target, ...]:
    """Who is asked: each model once, and no other in its place."""
    names = cell.get("compare")
    assert isinstance(names, tuple)
    find_key = session.engine.connections.find_key
    targets = [choose(config, find_key, model=name, fallback=False)[0] for name in names]
    targets = list(dict.fromkeys(targets))
    if len(targets) < 2:
        raise UsageError(
            f"--compare needs two models or more, and got {', '.join(map(str, targets))}; "
            "nothing was sent.",
            "For example: --compare gemini-2.5-flash,local",
        )
    return tuple(targets)


def _follow(asked: Sequence[_Asked], built: Built, view: Any) -> bool:
    """Draw the runs until all are over; False if the user interrupted them."""
    try:
        while True:
            for one in asked:
                one.look(built)
            if all(one.over for one in asked):
                return True
            view.draw()
            time.sleep(_TICK)
    except KeyboardInterrupt:
        for one in asked:
            one.run.cancel()
        until = time.monotonic() + FAREWELL
        with suppress(KeyboardInterrupt):
            for one in asked:
                one.run.wait(max(0.0, until - time.monotonic()))
        for one in asked:
            if not one.over:
                with suppress(KeyboardInterrupt):
                    one.column.take(one.run.poll(0))
                one.end(built)
        return False


def _told(error: BaseException | None) -> str:
    """What went wrong, for people."""
    if error is None:
        return ""
    if isinstance(error, GeminiMagicError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def _raise_if_all_failed(asked: Sequence[_Asked]) -> None:
    failed = [one for one in asked if one.error is not None]
    if len(failed) < len(asked):
        return
    first = failed[0]
    if not isinstance(first.error, GeminiMagicError):
        assert first.error is not None
        raise first.error
    raise BackendError(
        f"all {len(asked)} models failed; {first.target}: {first.error.what}",
        first.error.next_step,
    )


def _frame(asked: Sequence[_Asked], *, with_parsed: bool) -> pd.DataFrame:
    """The comparison as a table: texts as objects, so that a missing one is None."""
    import pandas as pd

    def column(values: list[Any], kind: str = "object") -> pd.Series[Any]:
        return pd.Series(values, dtype=kind)

    replies = [one.reply for one in asked]
    frame = {
        "model": column([one.target.model for one in asked]),
        "backend": column([one.target.backend for one in asked]),
        "text": column([reply.text for reply in replies]),
        "parsed": column([reply.parsed for reply in replies]),
        "seconds": column([reply.seconds for reply in replies], "float64"),
        "first": column([reply.first for reply in replies], "float64"),
        "input_tokens": column([reply.usage.input_tokens for reply in replies], "Int64"),
        "output_tokens": column([reply.usage.output_tokens for reply in replies], "Int64"),
        "cost": column([r.cost.paid / 1e6 if r.cost else None for r in replies], "float64"),
        "finish_reason": column([reply.finish_reason for reply in replies]),
        "error": column([_told(one.error) or None for one in asked]),
        "reply": column(replies),
    }
    if not with_parsed:
        del frame["parsed"]
    return pd.DataFrame(frame)
