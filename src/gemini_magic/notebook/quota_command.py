"""``%gemini quota``: what is left, live where widgets are; and the user's word on limits."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from gemini_magic.errors import LedgerError, UsageError, did_you_mean, sentence
from gemini_magic.notebook.display import Output
from gemini_magic.notebook.meters import meters_html, meters_text
from gemini_magic.quota import accounts, prices
from gemini_magic.quota.ledger import Ledger
from gemini_magic.quota.opening import budgets_of, open_ledger
from gemini_magic.quota.rules import Bucket
from gemini_magic.quota.store import StoreError
from gemini_magic.quota.usage import DayUse, Snapshot
from gemini_magic.quota.windows import WINDOWS

if TYPE_CHECKING:
    from gemini_magic.config import Config
    from gemini_magic.notebook.session import Session


class Reader:
    """One face's own connection to the ledger; what is wrong with it is shown, never raised."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._ledger = open_ledger(config)

    def snapshot(self) -> Snapshot:
        """What is in use now."""
        config = self._config
        hosts = {
            stream.host
            for service in (*config.backends.values(), *config.presets.values())
            if accounts.counts_as_google(service)
            for stream in (accounts.stream(service, None, "", b""),)
        }
        budgets = [one for service in config.backends.values() for one in budgets_of(service)]
        tiers = {name: service.tier or "" for name, service in config.backends.items()}
        try:
            found = self._ledger.snapshot(lambda host: host in hosts, budgets, tiers)
        except StoreError as problem:
            return Snapshot(0.0, problem=str(problem))
        # Where a machine's own file is says nothing; which server a team counts on does.
        return found._replace(where="") if "store" not in config.ledger else found

    def changes(self) -> int:
        """A number that differs from the last call's when anything changed in between."""
        try:
            return self._ledger.changes()
        except StoreError:
            return -1


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
    config = session.refresh()
    ledger = open_ledger(config)
    try:
        found = ledger.history(days)
    except StoreError as problem:
        raise LedgerError(f"the quota cannot be read: {problem}") from None
    finally:
        ledger.store.close()
    return [use if use.cost or _is_priced(config, use) else use._replace(priced=False)
            for use in found]  # fmt: skip


def _is_priced(config: Config, use: DayUse) -> bool:
    """Whether it is known what the use of a day cost, were it nothing."""
    service = config.backends.get(use.backend) or config.presets.get(use.backend)
    if service is None:
        return False
    if service.kind == "local" or prices.tier_is_free(service):
        return True
    return prices.find(service, use.model, config.prices, time.time()) is not None


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
