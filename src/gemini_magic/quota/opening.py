"""Opens the ledger that a configuration names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from gemini_magic import paths
from gemini_magic.config import Backend, Config
from gemini_magic.errors import ConfigError
from gemini_magic.quota import windows
from gemini_magic.quota.ledger import Ledger
from gemini_magic.quota.plan import DOLLAR, Budget
from gemini_magic.quota.store import Store

#: The file of the default store, in the user's data folder.
FILE = "ledger.db"


def open_ledger(config: Config) -> Ledger:
    """The configured ledger; its store is opened with its first use. Raises ``MissingExtra``."""
    ledger = Ledger(
        open_store(config.ledger, os.environ),
        failures_count=config.ledger.get("failures_count", True),
    )
    ledger.configure(config.limits, config.limits_since)
    return ledger


def open_store(settings: Mapping[str, Any], environ: Mapping[str, str]) -> Store:
    """The store that the table ``[ledger]`` names: SQLite unless it says more."""
    where = settings.get("store", "sqlite")
    if where == "sqlite":
        from gemini_magic.quota.sqlite_store import SqliteStore

        return SqliteStore(paths.data_dir() / FILE)
    from gemini_magic.quota.redis_store import RedisStore

    return RedisStore(where, environ.get(settings.get("store_password_env", "")))


def budgets_of(service: Backend) -> tuple[Budget, ...]:
    """A backend's budgets, in micro-dollars. Raises ``ConfigError`` for what cannot be counted."""
    if not service.budget:
        return ()
    zone = service.budget.get("zone", "local")
    try:
        windows.zone(zone)
    except KeyError:
        raise ConfigError(
            f"the budget of {service.name} names a time zone that nobody knows: {zone}.",
            'For example: zone = "local", "UTC" or "Europe/Lisbon"',
        ) from None
    found = []
    for period in ("day", "month"):
        if period in service.budget:
            amount, currency = service.budget[period][:-3], service.budget[period][-3:]
            if currency != "USD":
                raise ConfigError(
                    f"the budget of {service.name} is in {currency}; prices are in dollars.",
                    f'Write it in USD: {period} = "1 USD"',
                )
            found.append(Budget(service.name, period, round(float(amount) * DOLLAR), zone))
    return tuple(found)
