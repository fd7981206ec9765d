"""Three ways on when the quota gets narrow, in the user's own numbers: free, elsewhere, paid.

Words and numbers only, each computed from the recorded use and the dated tables; what is not known
is "?". Faces draw it.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from gemini_magic import catalog, paths
from gemini_magic.config import Backend, Config
from gemini_magic.config_backends import is_loopback
from gemini_magic.quota import habits as figures
from gemini_magic.quota import limits
from gemini_magic.quota.accounts import GOOGLE_HOST
from gemini_magic.quota.habits import Cost, Habit, Habits, Reached
from gemini_magic.quota.money import dollars
from gemini_magic.quota.rules import USER, Limit
from gemini_magic.quota.usage import DayUse
from gemini_magic.quota.windows import WINDOWS, midnight

#: Where the owner of a project sees its true limits.
TRUTH = "https://aistudio.google.com/rate-limit"

#: How many models and services a cell of the table names.
_NAMED = 3
#: A model in memory is at most this many times its file (measured: 1.4 to 2.6 times), and may
#: take at most half of the memory: the notebook and the browser need the rest.
_IN_MEMORY, _SHARE = 3, 2
#: The failures of Google's on which a route goes on elsewhere.
_WHEN = ("rpd", "limit0", "overloaded")


class LocalModel(NamedTuple):
    """Weights for the embedded model: ``size`` of the file in bytes, ``installed``: it is here."""

    name: str
    size: int
    installed: bool


@dataclass(frozen=True, slots=True)
class Way:
    """One way on; each row is lines of text.

    ``config`` is TOML for the user's configuration and ``commands`` are what to write after the
    magic's name, both to be pasted; ``pages`` are addresses.
    """

    title: str
    effort: tuple[str, ...]
    limits: tuple[str, ...]
    cost: tuple[str, ...]
    card: tuple[str, ...]
    stability: tuple[str, ...]
    best: tuple[str, ...]
    config: str = ""
    commands: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Advice:
    """What to show: a verdict of one line, what it rests on, and the three ways.

    ``reached`` are the known daily limits that were reached; ``file`` is where ``config`` goes.
    """

    verdict: str
    notes: tuple[str, ...]
    reached: tuple[Reached, ...]
    ways: tuple[Way, Way, Way]
    file: str


def advise(
    days: Sequence[DayUse],
    config: Config,
    *,
    now: float,
    memory: int,
    weights: Sequence[LocalModel],
) -> Advice:
    """What the recorded use until ``now`` (Unix time) speaks for.

    ``memory`` is this machine's in bytes, 0 if unknown; ``weights`` are those that could run here.
    Raises ``ConfigError`` where the user's prices cannot be understood.
    """
    case = _Case(config, figures.study(days, config, now), now, memory, tuple(weights))
    full = figures.reached(case.habits, config)
    return Advice(
        verdict=_verdict(case, full),
        notes=_notes(case, full),
        reached=full,
        ways=(_free(case), _elsewhere(case), _paid(case, full)),
        file=_home_as_tilde(paths.config_file()),
    )


@dataclass(frozen=True)
class _Case:
    """What all the ways are computed from."""

    config: Config
    habits: Habits
    now: float
    memory: int
    weights: tuple[LocalModel, ...]

    @functools.cached_property
    def studio(self) -> Backend:
        """Google's own service, as configured."""
        services = self.config.backends.values()
        return next((one for one in services if _is_googles(one)), self.config.backends["studio"])

    @functools.cached_property
    def tier(self) -> str:
        """The tier that the user is in: as configured, else as Google named it last."""
        named = [use.tier for use in self.habits.uses if use.tier in limits.TIERS]
        said = self.studio.tier or (named[-1] if named else "")
        return said if said in limits.TIERS else limits.FREE

    @property
    def model(self) -> str:
        """The model of Google's that matters most."""
        return self.habits.models[0].model if self.habits.models else catalog.default_model()

    def limit(self, model: str, tier: str, window: str = "rpd") -> Limit | None:
        return figures.known_limit(self.config, self.studio.project, model, tier, window)

    def roomy(self) -> tuple[str, int] | None:
        """A free model with room for the busiest day: the usual default, else the roomiest."""
        names = [catalog.default_model(), *(model.name for model in catalog.google_models())]
        known = ((name, self.limit(name, limits.FREE)) for name in names)
        found = [
            (name, limit.size)
            for name, limit in known
            if limit and limit.size > self.habits.busiest
        ]
        if not found or found[0][0] == catalog.default_model():
            return found[0] if found else None
        return max(found, key=lambda one: one[1])


# --- what it comes to ----------------------------------------------------------------------------


def _verdict(case: _Case, full: tuple[Reached, ...]) -> str:
    """The one line that a hurried reader needs."""
    habits = case.habits
    if not habits.days:
        return "Nothing was recorded yet, so there are no numbers of yours: only what is known."
    early = "" if habits.enough else f"Only {_days(habits.days)} recorded, so a first look: "
    you = "you" if early else "You"
    usual = f"{you} ask {_requests(habits.usual)} on a usual day"
    if not habits.models:
        return f"{early}{usual}, none of them of Google's models."
    if full:
        return early + _narrow(case, full[0])
    return f"{early}{usual}; {_allowed(case)}"


def _narrow(case: _Case, worst: Reached) -> str:
    size, label = worst.limit.size, WINDOWS[worst.limit.window].label
    said = (
        f"{worst.model} reached its {size:,} {label} on {worst.days} of"
        f" {_days(case.habits.days)} recorded; "
    )
    if worst.limit.window != "rpd":
        return f"{said}see the ways on."
    busiest = f"your busiest day ({case.habits.busiest:,} to Google)"
    if (roomy := case.roomy()) is None:
        return f"{said}no free model known here has room for {busiest}."
    return f"{said}the free tier of {roomy[0]} allows {roomy[1]:,}, enough for {busiest}."


def _allowed(case: _Case) -> str:
    tier, model = _label(case.tier), case.model
    limit = case.limit(model, case.tier)
    if limit is None:
        return f"how many {tier} of {model} allows is not known here."
    if limit.size:
        return f"{tier} of {model} allows {limit.size:,}."
    roomy = case.roomy()
    other = f"; {roomy[0]} is, with {roomy[1]:,} a day" if roomy else ""
    return f"{model} is not in {tier}{other}."


def _notes(case: _Case, full: tuple[Reached, ...]) -> tuple[str, ...]:
    habits, lines = case.habits, []
    if habits.days:
        asked = [*((one.model, one.requests) for one in habits.models), *habits.others]
        most = sorted(asked, key=lambda one: -one[1])
        which = ", ".join(f"{name} {count:,}" for name, count in most[:_NAMED])
        more = f", {len(most) - _NAMED} more" if len(most) > _NAMED else ""
        paid = f"; they cost {dollars(habits.paid)}" if habits.paid else ""
        lines.append(
            f"Recorded: {_requests(habits.requests)} on {_days(habits.days)}, {habits.first} to"
            f" {habits.last} (Pacific): {which}{more}{paid}."
        )
    for one in full:
        lines.append(
            f"Reached: {one.limit.size:,} {WINDOWS[one.limit.window].label} of {one.model} on"
            f" {_days(one.days)} or more ({_origin(one.limit)})."
        )
    if habits.days and not full:
        lines.append("Reached: none of the daily limits that are known here, as far as counted.")
    if count := sum(requests for _, requests in habits.others):
        lines.append(f"Not in the costs: {_requests(count)} to models that are not Google's.")
    if 0 < habits.days < figures.ENOUGH:
        lines.append(f"A month is reckoned from {figures.ENOUGH} recorded days on.")
    return tuple(lines)


# --- 1: free or on this machine ------------------------------------------------------------------


def _free(case: _Case) -> Way:
    facts, local = _facts()["free"], _fitting(case)
    commands: list[str] = []
    effort = ["Google: none beside a key"]
    if free := _free_model(case):
        commands.append(f"use {case.studio.name}:{free}")
    if local:
        effort.append("local: the extra gemini-magic[local], and")
        if local.installed:
            effort.append(f"{local.name}, which is installed")
        else:
            effort.append(f"{local.name}, to be fetched ({_gigabytes(local.size)})")
            commands.append(f"local install {local.name}")
        commands.append(f"use local:{local.name}")
    return Way(
        title="1. Stay free, or run locally",
        effort=tuple(effort),
        limits=(*_free_limits(case), *_local_limits(case)),
        cost=(_free_cost(case), "local: $0 to any service"),
        card=(facts["card"],),
        stability=(_history(case), "local: nobody can change it; works offline"),
        best=(
            "trying out, and work that can wait for the next day",
            f"{facts['data']}; what runs locally stays here",
            "local models are small and are wrong more often",
        ),
        commands=tuple(commands),
        pages=(TRUTH,),
    )


def _free_model(case: _Case) -> str | None:
    """The free model to paste: the one that is used if it has room, else a roomier one."""
    limit = case.limit(case.model, limits.FREE)
    if limit and limit.size > case.habits.busiest:
        return case.model
    roomy = case.roomy()
    return roomy[0] if roomy else None


def _free_limits(case: _Case) -> list[str]:
    asked: dict[str, Habit | None] = {one.model: one for one in case.habits.models[:_NAMED]}
    for model in (case.model, _free_model(case)):
        if model:
            asked.setdefault(model, None)
    lines = [_free_limit(case, model, habit) for model, habit in asked.items()]
    opens = datetime.fromtimestamp(midnight(case.now)).astimezone()
    return [*lines, f"the day starts anew at {opens:%H:%M} your time (midnight Pacific)"]


def _free_limit(case: _Case, model: str, habit: Habit | None) -> str:
    limit = case.limit(model, limits.FREE)
    if limit is None:
        said = "? requests a day"
    elif limit.size == 0:
        said = f"not in the free tier ({_origin(limit)})"
    else:
        said = f"{limit.size:,} requests a day ({_origin(limit)})"
    yours = f"; you: {habit.usual:,} usually, {habit.busiest:,} at most" if habit else ""
    return f"{model}: {said}{yours}"


def _free_cost(case: _Case) -> str:
    free = "free tier: $0 for what it allows"
    cost = figures.cost_at(case.studio, case.habits, case.config, case.now)
    if not case.habits.models:
        return free
    if cost.amount is None:
        return f"{free} (list ?)"
    least = "at least " if cost.unknown else ""
    if not case.habits.enough:
        return f"{free} (list {least}{dollars(cost.amount)} so far)"
    return f"{free} (list {least}{dollars(case.habits.a_month(cost.amount))} a month)"


def _fits(case: _Case) -> list[LocalModel]:
    room = case.memory // _SHARE
    return [one for one in case.weights if one.size * _IN_MEMORY <= room]


def _fitting(case: _Case) -> LocalModel | None:
    """The weights to run: the largest that fit, those that are here first."""
    return max(_fits(case), key=lambda one: (one.installed, one.size), default=None)


def _local_limits(case: _Case) -> list[str]:
    if not case.memory:
        return ["local: no limit of requests; what fits is ?, the memory is not known"]
    fits = [f"{one.name}{' (installed)' if one.installed else ''}" for one in _fits(case)]
    what = ", ".join(fits) or "none of the known models"
    return [f"local: no limit of requests; {_gigabytes(case.memory)} of memory fit {what}"]


def _history(case: _Case) -> str:
    """How the free tier of a model that the user asks has changed, as far as is known."""
    for model in (habit.model for habit in case.habits.models):
        known = [(row.as_of, row.size("rpd")) for row in limits.rows(model) if row.tier == "free"]
        dated = sorted((when, size) for when, size in known if size is not None)
        sizes = [size for size, _ in groupby(size for _, size in dated)]
        if len(sizes) > 1:
            steps = " → ".join(f"{size:,}" for size in sizes)
            return f"free limits change: {model} had {steps} a day since {dated[0][0]:%b %Y}"
    return "free limits can change any day"


# --- 2: another service --------------------------------------------------------------------------


def _elsewhere(case: _Case) -> Way:
    found = _services(case)
    if not found:
        return Way("2. A proxy or another service", *(("?: no other service is known here",),) * 6)
    first, _ = found[0]
    preset = catalog.presets().get(first.preset or "")
    host = urlsplit(first.base_url or "").hostname or first.name
    ready = first.name in case.config.backends
    key = [f"key {first.name}"] if first.key_required and not ready else []
    config, route = _route(case, first)
    effort = (
        f"{first.name} is configured; a route to it takes a line"
        if ready
        else f"an account and a key at {host}, and the lines below"
    )
    return Way(
        title=f"2. Another service: {first.name}",
        effort=(effort,),
        limits=("the service's own: ?", "Google's free day is not used there"),
        cost=tuple(_service_cost(case, *one) for one in found[:_NAMED]),
        card=(f"?: see the terms of {host}",),
        stability=(f"{host} sees prompts and answers, and sets prices and limits",),
        best=("going on at once with the same models; the route says when it switches",),
        config=config,
        commands=(*key, f"use {route}"),
        pages=(preset.source,) if preset and preset.source.startswith("https://") else (),
    )


def _services(case: _Case) -> list[tuple[Backend, Cost]]:
    """Who else has the user's model: configured first, then the cheapest, then without a price."""
    services = {**case.config.presets, **case.config.backends}
    found = [
        (one, figures.cost_at(one, case.habits, case.config, case.now))
        for one in services.values()
        if one.kind != "local"
        and not _is_googles(one)
        and not is_loopback(one.base_url or "")
        and one.has(case.model)
    ]

    def order(one: tuple[Backend, Cost]) -> tuple[bool, int, bool, int]:
        service, cost = one
        price = figures.price_at(service, case.model, case.config, case.now)
        known = cost.amount is not None or price is not None
        return (
            service.name not in case.config.backends,
            len(cost.unknown),
            not known,
            cost.amount or 0,
        )

    return sorted(found, key=order)


def _is_googles(service: Backend) -> bool:
    """Whether it is AI Studio's service: a proxy that speaks Google's protocol is another's."""
    return service.vertex is None and urlsplit(service.base_url or "").hostname == GOOGLE_HOST


def _service_cost(case: _Case, service: Backend, cost: Cost) -> str:
    said = _own_cost(case, service, cost)
    if said.startswith("?") or cost.unknown:
        said += f'; tell it in [prices.{_key(service.name)}."MODEL"]'
    return f"{service.name}: {said}"


def _route(case: _Case, service: Backend) -> tuple[str, str]:
    """The TOML of a route to ``service``, and the route's name; no TOML where there is one."""
    routes = case.config.routes
    for name, steps in routes.items():
        if service.name in (step.backend for step in steps):
            return "", name
    name = "default" if "default" not in routes else f"with-{service.name}"
    when = ", ".join(f'"{word}"' for word in _WHEN)
    lines = []
    if service.name not in case.config.backends:
        key = _key(service.name)
        lines += [f"[backends.{key}]", f"preset = {_text(service.preset or service.name)}", ""]
    lines += [
        f"[routes.{_key(name)}]",
        f"targets = [{_text(case.studio.name)},"
        f" {{ backend = {_text(service.name)}, when = [{when}] }}]",
    ]
    return "\n".join(lines), name


# --- 3: a paid tier ------------------------------------------------------------------------------


def _paid(case: _Case, full: tuple[Reached, ...]) -> Way:
    facts = _facts()["paid"]
    cost = figures.cost_at(case.studio, case.habits, case.config, case.now)
    tier = _tier(case, cost, full)
    there = tier["tier"] == case.tier
    steps = [f"{number}. {step}" for number, step in enumerate(facts["steps"], 1)]
    models = [habit.model for habit in case.habits.models[:_NAMED]] or [case.model]
    if there:
        effort = (f"none: you are in {tier['label']}",)
    elif tier["tier"] == "tier1" or case.tier == limits.FREE:
        effort = (*steps, *((f"then: {tier['needs']}",) if tier["tier"] != "tier1" else ()))
    else:
        effort = (f"it comes by itself: {tier['needs']}",)
    return Way(
        title=f"3. Pay Google: {tier['label']}",
        effort=effort,
        limits=(
            *(f"{model}: {_sizes(case, model, tier['tier'])}" for model in models),
            f"at most ${tier['cap']:,} a month for the account",
        ),
        cost=(_own_cost(case, case.studio, cost),),
        card=(facts["card"],),
        stability=("Google's own service, with more room than its free tier",
                   "higher tiers come with what was paid, and with time"),
        best=("daily work, long prompts, and models that are not in the free tier",
              facts["data"]),
        config="" if there else _tier_config(case, tier["tier"]),
        commands=("quota",),
        pages=(facts["page"], TRUTH),
    )  # fmt: skip


def _tier(case: _Case, cost: Cost, full: tuple[Reached, ...]) -> dict[str, Any]:
    """The lowest paid tier with room for the recorded use, as far as its limits are known.

    Whoever reached a limit in a paid tier is told of the next.
    """
    rows: list[dict[str, Any]] = _facts()["tiers"]
    paid = [row["tier"] for row in rows]
    start = paid.index(case.tier) + bool(full) if case.tier in paid else 0
    month = case.habits.a_month(cost.amount) if cost.amount and case.habits.enough else 0

    def has_room(row: dict[str, Any]) -> bool:
        known = ((one, case.limit(one.model, row["tier"])) for one in case.habits.models)
        if any(limit and limit.size < one.busiest for one, limit in known):
            return False
        return month <= int(row["cap"]) * 1_000_000

    return next((row for row in rows[start:] if has_room(row)), rows[-1])


def _sizes(case: _Case, model: str, tier: str) -> str:
    known = [limit for name in WINDOWS if (limit := case.limit(model, tier, name))]
    if not known:
        return "? (yours are on the page of limits)"
    sizes = ", ".join(f"{limit.size:,} {WINDOWS[limit.window].label}" for limit in known)
    rest = "" if any(limit.window == "rpd" for limit in known) else "; ? a day"
    return f"{sizes} ({_origin(known[0])}){rest}"


def _tier_config(case: _Case, tier: str) -> str:
    """The line that says the tier; a table that is there already is not written twice."""
    line = f"tier = {_text(tier)}"
    name = _key(case.studio.name)
    if case.studio.defined_in != "built in":
        return f"# change or add in [backends.{name}]:\n{line}"
    return f'[backends.{name}]\nkind = "google"\n{line}'


# --- words ---------------------------------------------------------------------------------------


def _own_cost(case: _Case, service: Backend, cost: Cost) -> str:
    """What the recorded use costs at a service, or as much of that as is known."""
    habits = case.habits
    if not habits.models:
        price = figures.price_at(service, case.model, case.config, case.now)
        if price is None:
            return f"? (no price of {case.model} is known)"
        return (
            f"nothing recorded; {case.model} is ${_decimal(price.input)} in,"
            f" ${_decimal(price.output)} out a million tokens at list"
        )
    if cost.amount is None:
        return f"? (no price of {_listed(cost.unknown)} is known)"
    least = "at least " if cost.unknown else ""
    rest = f", without {_listed(cost.unknown)}: ?" if cost.unknown else ""
    if not habits.enough:
        return f"{least}{dollars(cost.amount)} at list for {_days(habits.days)} recorded{rest}"
    month = dollars(habits.a_month(cost.amount))
    return (
        f"{least}{month} a month at list for your own use"
        f" ({habits.days} recorded days of the last {habits.span}){rest}"
    )


def _origin(limit: Limit) -> str:
    """Where a limit comes from: never shown without it."""
    if limit.provenance == USER:
        return "yours"
    return f"as of {datetime.fromtimestamp(limit.as_of, UTC):%b %Y}, {limit.confidence} confidence"


def _label(tier: str) -> str:
    if tier == limits.FREE:
        return "the free tier"
    return next(str(row["label"]) for row in _facts()["tiers"] if row["tier"] == tier)


def _listed(models: Sequence[str]) -> str:
    more = f" and {len(models) - _NAMED} more" if len(models) > _NAMED else ""
    return ", ".join(models[:_NAMED]) + more


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count:,} days"


def _requests(count: int) -> str:
    return "1 request" if count == 1 else f"{count:,} requests"


def _decimal(price: Decimal) -> str:
    """A price exactly, with two digits for cents at least."""
    return f"{price:.2f}" if price == round(price, 2) else f"{price:f}"


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"


def _key(name: str) -> str:
    """A name as a key of TOML, which knows JSON's texts too."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)


def _text(value: str) -> str:
    return json.dumps(value)


def _home_as_tilde(path: Path) -> str:
    try:
        return str(Path("~") / path.relative_to(Path.home()))
    except (ValueError, RuntimeError):
        return str(path)


@functools.cache
def _facts() -> dict[str, Any]:
    import tomllib

    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
