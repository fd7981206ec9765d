"""What the recorded use says of its user: a usual day, what was full, and what it costs at list."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from statistics import median_high

from gemini_magic import catalog
from gemini_magic.config import Backend, Config
from gemini_magic.quota import limits, prices
from gemini_magic.quota.accounts import counts_as_google
from gemini_magic.quota.prices import Price
from gemini_magic.quota.rules import USER, Limit
from gemini_magic.quota.usage import DayUse
from gemini_magic.quota.windows import WINDOWS, day

#: Days of use from which on a month is extrapolated, and the days of that month.
ENOUGH, MONTH = 3, 30


@dataclass(frozen=True, slots=True)
class Habit:
    """Requests to one of Google's models, under Google's name for it, wherever it was asked.

    ``usual`` is the median of the days on which it was asked, ``busiest`` the most of a day.
    """

    model: str
    requests: int
    usual: int
    busiest: int


@dataclass(frozen=True, slots=True)
class Reached:
    """A daily limit that was reached on ``days`` days, as far as was counted here."""

    model: str
    limit: Limit
    days: int


@dataclass(frozen=True, slots=True)
class Habits:
    """The recorded use, summed up. ``models`` are Google's, most asked first.

    ``days`` are those with requests, ``span`` all from the first of them to today; days are Pacific
    ones. ``usual`` and ``busiest`` are requests of a day: the median of all, and the most to
    Google. ``uses`` are what went to Google's models, with Google's names; ``others`` are the
    requests to other models. ``paid`` is what all of it has cost, in micro-dollars.
    """

    days: int
    span: int
    first: str
    last: str
    requests: int
    usual: int
    busiest: int
    models: tuple[Habit, ...]
    uses: tuple[DayUse, ...]
    others: tuple[tuple[str, int], ...]
    paid: int

    @property
    def enough(self) -> bool:
        return self.days >= ENOUGH

    def a_month(self, amount: int) -> int:
        """What an amount of the recorded days comes to in a month, rounded up."""
        return math.ceil(amount * MONTH / self.span)


@dataclass(frozen=True, slots=True)
class Cost:
    """What the recorded use of Google's models costs somewhere, in micro-dollars, at list.

    ``unknown`` are the models whose price there (or whose tokens) nobody knows: not in ``amount``,
    which is None where that leaves nothing.
    """

    amount: int | None
    unknown: tuple[str, ...]


def study(days: Sequence[DayUse], config: Config, now: float) -> Habits:
    """Sum up what was recorded until ``now`` (Unix time)."""
    asked = [use for use in days if use.requests > 0]
    uses, others = [], Counter[str]()
    for use in asked:
        name = _google_name(use, config)
        if name is None:
            others[use.model] += use.requests
        else:
            uses.append(use._replace(model=name))
    by_day = _sums((use.day, use.requests) for use in asked)
    by_model: dict[str, list[DayUse]] = defaultdict(list)
    for use in uses:
        by_model[use.model].append(use)
    habits = []
    for model, its in by_model.items():
        counts = _sums((use.day, use.requests) for use in its).values()
        habits.append(Habit(model, sum(counts), median_high(counts), max(counts)))
    first, last, today = min(by_day, default=""), max(by_day, default=""), day(now)
    gone = (date.fromisoformat(today) - date.fromisoformat(first)).days + 1 if first else 0
    return Habits(
        days=len(by_day),
        span=max(gone, len(by_day)),
        first=first,
        last=last,
        requests=sum(by_day.values()),
        usual=median_high(by_day.values()) if by_day else 0,
        busiest=max(_sums((use.day, use.requests) for use in uses).values(), default=0),
        models=tuple(sorted(habits, key=lambda one: (-one.requests, one.model))),
        uses=tuple(uses),
        others=tuple(others.most_common()),
        paid=sum(use.cost for use in days),
    )


def cost_at(service: Backend, habits: Habits, config: Config, now: float) -> Cost:
    """What the recorded use of Google's models would have cost at a service, at its list price.

    Nothing counts as cached. A price that depends on the prompt's length is taken by the average
    length of a day's prompts.
    """
    amounts: dict[str, int | None] = {}
    for habit in habits.models:
        uses = [use for use in habits.uses if use.model == habit.model]
        price = price_at(service, habit.model, config, now)
        counted = any(use.tokens or use.output for use in uses)
        known = price is not None and counted
        amounts[habit.model] = sum(_cost(price, use) for use in uses) if price and known else None
    sums = [amount for amount in amounts.values() if amount is not None]
    unknown = tuple(model for model, amount in amounts.items() if amount is None)
    return Cost(sum(sums) if sums else None, unknown)


def price_at(service: Backend, model: str, config: Config, now: float) -> Price | None:
    """The list price of one of Google's models at a service; None if unknown or not there."""
    if not service.has(model):
        return None
    return prices.find(service, service.map_model(model), config.prices, now)


def known_limit(
    config: Config, project: str | None, model: str, tier: str, window: str, *, seeds: bool = True
) -> Limit | None:
    """What is known of a limit without the ledger: the user's word, else the published one."""
    mine = config.limits.get(project or "", {}).get(model, {}).get(window)
    if mine is not None:
        return Limit(window, mine, USER, True, config.limits_since)
    return limits.seed(model, tier, window) if seeds else None


def reached(habits: Habits, config: Config) -> tuple[Reached, ...]:
    """The known daily limits that the recorded use of Google's models reached, worst first."""
    used: dict[tuple[str, str, str, bool], dict[str, list[DayUse]]] = {}
    for use in habits.uses:
        service = _service(use, config)
        tier = (service.tier if service else None) or use.tier
        seeds = service is not None and counts_as_google(service)
        by_day = used.setdefault((use.model, use.project, tier, seeds), defaultdict(list))
        by_day[use.day].append(use)
    found = []
    for (model, project, tier, seeds), by_day in used.items():
        for window in (one for one in WINDOWS.values() if one.daily):
            limit = known_limit(config, project, model, tier, window.name, seeds=seeds)
            if limit is None or limit.size == 0:
                continue  # what was answered although there is no quota tells nothing of a limit
            sums = [sum(getattr(use, window.unit) for use in uses) for uses in by_day.values()]
            if days := sum(amount >= limit.size for amount in sums):
                found.append(Reached(model, limit, days))
    return tuple(sorted(found, key=lambda one: (-one.days, one.model)))


def _service(use: DayUse, config: Config) -> Backend | None:
    return config.backends.get(use.backend) or config.presets.get(use.backend)


def _google_name(use: DayUse, config: Config) -> str | None:
    """Google's name for what was asked; None if it is no model of Google's.

    Services have names of their own for them: those of the configuration, or with a prefix.
    """
    service = _service(use, config)
    for name, own in (service.models if service else {}).items():
        if catalog.bare(own).lower() == use.model and catalog.is_google(name):
            return catalog.bare(name)
    name = use.model.removeprefix("google/")
    return name if catalog.is_google(name) else None


def _sums(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for key, amount in pairs:
        sums[key] += amount
    return sums


def _cost(price: Price, use: DayUse) -> int:
    rates = price.rates(math.ceil(use.tokens / use.requests))
    same = replace(price, input=rates.input, output=rates.output, cached=None, steps=())
    return prices.planned(same, use.tokens, use.output)
