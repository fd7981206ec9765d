"""``%gemini quota``: what is left, live where widgets are; and the user's word on limits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gemini_magic.errors import LedgerError, UsageError, did_you_mean, sentence
from gemini_magic.notebook.display import Output
from gemini_magic.notebook.meters import meters_html, meters_text
from gemini_magic.quota import accounts
from gemini_magic.quota.ledger import Ledger
from gemini_magic.quota.opening import open_ledger
from gemini_magic.quota.reader import Reader
from gemini_magic.quota.rules import Bucket
from gemini_magic.quota.store import StoreError
from gemini_magic.quota.usage import DayUse
from gemini_magic.quota.windows import WINDOWS

if TYPE_CHECKING:
    from gemini_magic.notebook.session import Session


def run(session: Session, words: list[str]) -> None:
    """Do what ``%gemini quota words`` says. Raises ``UsageError`` and ``LedgerError``."""
    match words:
        case []:
            _show(session)
        case ["set", name, first, *rest]:
            _set(session, name, [first, *rest])
        case ["reset", name]:
            _reset(session, name, counts=False)
        case ["reset", name, "--counts"]:
            _reset(session, name, counts=True)
        case _:
            raise UsageError(
                f"usage: %{session.magic.name} quota [set BUCKET rpm=N rpd=N ... |"
                " reset BUCKET [--counts]]",
                f"To send it as a prompt, write: %{session.magic.name} -- quota {' '.join(words)}",
            )


def history(session: Session, days: int) -> list[DayUse]:
    """What was used in the last ``days`` days. Raises ``LedgerError``."""
    reader = Reader(session.refresh())
    try:
        return reader.history(days)
    finally:
        reader.close()


def _show(session: Session) -> None:
    reader = Reader(session.refresh())
    snapshot = reader.snapshot()
    text = meters_text(snapshot, snapshot.at)
    if not hasattr(session.shell, "kernel"):
        print(text)
        return
    if not session.running_cell()[0]:  # a notebook that is run as a whole keeps what is drawn now
        html = meters_html(snapshot, snapshot.at)
        session.shell.display_pub.publish({"text/html": html, "text/plain": text}, {})
        return
    from gemini_magic.widgets.live import LiveMeters

    output = Output(session.shell)
    live = LiveMeters(reader.snapshot, reader.changes, meters_html, meters_text, output.draw)
    still, *view = live.outputs()
    output.draw(still)
    for data in view:
        output.beside(data)


def _set(session: Session, name: str, pairs: list[str]) -> None:
    sizes: dict[str, int | None] = {}
    for pair in pairs:
        window, equals, size = pair.lower().partition("=")
        number = re.fullmatch(r"\d[\d_,]*", size)
        if window not in WINDOWS or not equals or not (number or size == "none"):
            raise UsageError(
                f"{pair!r} is no limit; nothing changed.",
                f"Write one of {', '.join(WINDOWS)} with a number, or none: rpd=250",
            )
        sizes[window] = int(re.sub(r"[_,]", "", size)) if number else None
    ledger, bucket = _find(session, name)
    try:
        ledger.set_limits(bucket, sizes)
    except StoreError as problem:
        raise LedgerError(f"the limits could not be kept: {problem}") from None
    said = ", ".join(
        f"{window} {'unset' if size is None else size}" for window, size in sizes.items()
    )
    print(f"{bucket}: {said}. They count from now on.")


def _reset(session: Session, name: str, *, counts: bool) -> None:
    ledger, bucket = _find(session, name)
    try:
        ledger.reset(bucket, counts=counts)
    except StoreError as problem:
        raise LedgerError(f"the ledger could not be changed: {problem}") from None
    also = " What it used is forgotten too." if counts else ""
    print(f"{bucket}: what was set and learned of its limits is forgotten.{also}")


def _find(session: Session, name: str) -> tuple[Ledger, Bucket]:
    """The bucket that a user's word means: BACKEND:MODEL, PROJECT/MODEL, or a model's name."""
    config = session.refresh()
    ledger = open_ledger(config)
    try:
        known = ledger.buckets()
        backend, model = config.split_model(name)
        if backend is not None and model:
            service = config.backend(backend)
            key = session.engine.connections.find_key(service)
            secret = key.secret if key else None
            asked = service.map_model(model)
            stream = accounts.stream(service, secret, asked, ledger.salt)
            return ledger, ledger.bucket_of(stream, accounts.label(service), service.tier or "")
        found = [
            bucket
            for bucket, streams in known.items()
            if name in (str(bucket), f"{bucket.project}/{bucket.model}", bucket.model)
            or name in {stream.model for stream in streams}
        ]
    except StoreError as problem:
        raise LedgerError(f"the quota cannot be read: {problem}") from None
    if len(found) == 1:
        return ledger, found[0]
    if found:
        names = " or ".join(f"{bucket.project}/{bucket.model}" for bucket in found)
        raise UsageError(f"{name} is more than one bucket; nothing changed.", f"Name one: {names}")
    words = [f"{bucket.project}/{bucket.model}" for bucket in known]
    hint = did_you_mean(name, [*words, *(bucket.model for bucket in known)])
    raise UsageError(
        f"no bucket {name!r} was used so far; nothing changed.",
        sentence(hint) or f"Name it by its backend: %{session.magic.name} quota set studio:MODEL",
    )
