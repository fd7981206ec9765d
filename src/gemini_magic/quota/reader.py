"""Reads the ledger for a face: what is in use now, what was used before, and when to look again."""

from __future__ import annotations

import time

from gemini_magic.config import Config
from gemini_magic.errors import LedgerError
from gemini_magic.quota import accounts, prices
from gemini_magic.quota.opening import budgets_of, open_ledger
from gemini_magic.quota.store import StoreError
from gemini_magic.quota.usage import DayUse, Snapshot
from gemini_magic.quota.windows import WINDOWS

#: Seconds between two looks at the ledger, so at most four updates a second.
LOOK = 0.25
#: Seconds from here to a window's end in which the seconds are counted down.
_SOON = 120.0


class Reader:
    """One face's own connection to the ledger, for one thread at a time."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._ledger = open_ledger(config)

    def snapshot(self) -> Snapshot:
        """What is in use now; what is wrong with the ledger is in it, and never raised."""
        config = self.config
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

    def history(self, days: int) -> list[DayUse]:
        """What was used in the last ``days`` Pacific days. Raises ``LedgerError``."""
        try:
            found = self._ledger.history(days)
        except StoreError as problem:
            raise LedgerError(f"the quota cannot be read: {problem}") from None
        return [
            use if use.cost or _is_priced(self.config, use) else use._replace(priced=False)
            for use in found
        ]

    def close(self) -> None:
        """Let go of the store's files."""
        self._ledger.store.close()


def pause(snapshot: Snapshot) -> float:
    """Seconds until a state should be read again although nothing happened."""
    windows = [window for use in snapshot.buckets for window in use.windows]
    rolling = any(
        one.used > 0 and one.window in WINDOWS and not WINDOWS[one.window].daily for one in windows
    )
    ends = [at for one in windows for at in (one.resets, one.closed_until) if at is not None]
    soon = any(0 < at - snapshot.at < _SOON for at in ends)
    return 1.0 if rolling or soon or snapshot.problem else 60 - snapshot.at % 60


def _is_priced(config: Config, use: DayUse) -> bool:
    """Whether it is known what the use of a day cost, were it nothing."""
    service = config.backends.get(use.backend) or config.presets.get(use.backend)
    if service is None:
        return False
    if service.kind == "local" or prices.tier_is_free(service):
        return True
    return prices.find(service, use.model, config.prices, time.time()) is not None
