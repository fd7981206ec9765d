"""What tokens cost: the user's own prices, else the list prices that genai-prices knows.

An unknown price is None, never 0. The library takes a quarter of a second to import, so what it
says is kept on disk: a model's whole price list with its dates, so that a price that changes on a
day changes on that day, and nothing is asked twice of the same version of the library.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from gemini_magic import catalog, paths
from gemini_magic.config_backends import GOOGLE_URL, is_loopback
from gemini_magic.errors import ConfigError
from gemini_magic.types import Usage

if TYPE_CHECKING:
    from gemini_magic.config import Backend

#: The form of the file of kept prices; another form is read as empty.
_FORM = 1

#: The hosts of Google Cloud's models. Source: google-genai 3.4.0, ``_api_client.py``.
_CLOUD = r"([\w-]+-)?aiplatform\.([\w-]+\.rep\.)?googleapis\.com"

#: What may follow a model's name and leave it the same model: a stage, a date, a number.
_VERSION = r"(?:-(?:latest|preview|exp|\d{2,8}))*"

#: What has a price beside tokens, but no part in a plain request. A model with any other such
#: price (a fee for each request, hours of sound) costs more than its tokens.
_ASIDE = ("web_searches_kcount", "storage_searches_kcount")

#: The user's prices: backend, model, then ``input``, ``output``, ``cached``: ``"0.30 USD"``.
Overrides = Mapping[str, Mapping[str, Mapping[str, str]]]


class Rates(NamedTuple):
    """US dollars for a million tokens. ``cached`` None: as ``input``."""

    input: Decimal
    output: Decimal
    cached: Decimal | None = None


class Step(NamedTuple):
    """The rates of a whole request whose input is longer than ``above`` tokens."""

    above: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs: US dollars for a million tokens, ``output`` with thinking.

    ``steps`` are the rates for longer inputs, shortest first. ``as_of`` is the ISO day from which
    on the price holds, or on which it was read; "" where the source does not say.
    """

    input: Decimal
    output: Decimal
    cached: Decimal | None
    source: str
    as_of: str
    steps: tuple[Step, ...] = ()

    def rates(self, input_tokens: int) -> Rates:
        """The rates of a request with this many input tokens."""
        found = Rates(self.input, self.output, self.cached)
        for step in self.steps:
            if input_tokens > step.above:
                found = step.rates
        return found


def find(
    service: Backend, model: str, overrides: Overrides, at: float, *, look_up: bool = True
) -> Price | None:
    """What ``model`` (as the service calls it) costs there at Unix time ``at``; None if unknown.

    The user's price wins. A free tier's price is the list price: see ``tier_is_free``. Without
    ``look_up`` a list price counts as unknown until somebody looked it up: the library is not
    imported. Raises ``ConfigError`` where the user's price is incomplete or not in US dollars.
    """
    if service.kind == "local":
        return Price(Decimal(0), Decimal(0), None, "this machine", "")
    if (own := _own(service, model, overrides)) is not None:
        return own
    provider = _provider(service, look_up)
    name = catalog.bare(model)
    if provider == "google":
        name = name.removeprefix("google/")  # as Google Cloud's OpenAI endpoint calls its models
    listed = _listed(provider, name, at, look_up) if provider else None
    return listed or _row(service, provider, name)


def cost(price: Price, usage: Usage) -> int:
    """What an answer cost, in micro-dollars, rounded up. Tokens that nobody counted cost nothing.

    Thinking is paid as output. Sound in the input is paid as text, which is too little at some
    models: services report one count of input tokens.
    """
    tokens = usage.input_tokens or 0
    cached = min(tokens, usage.cached_tokens or 0)
    rates = price.rates(tokens)
    reused = rates.input if rates.cached is None else rates.cached
    output = (usage.output_tokens or 0) + (usage.thought_tokens or 0)
    return math.ceil((tokens - cached) * rates.input + cached * reused + output * rates.output)


def planned(price: Price, input_tokens: int, output_tokens: int) -> int:
    """What a request will cost, in micro-dollars, rounded up, if nothing of it is cached."""
    return cost(price, Usage(input_tokens, output_tokens))


def tier_is_free(service: Backend) -> bool:
    """Whether an answer costs nothing here, whatever the list price: Google's free tier."""
    return _is_studio(service) and service.tier in (None, "", "free")


# --- whose price ---------------------------------------------------------------------------------


def _is_studio(service: Backend) -> bool:
    """Whether this is Google's own service without Google Cloud, or passes requests on to it.

    What speaks Google's protocol on this machine passes them on; elsewhere it is another's service
    with prices of its own.
    """
    if service.kind == "local" or service.vertex is not None:
        return False
    url = service.base_url or (GOOGLE_URL if service.kind == "google" else "")
    own = urlsplit(url).hostname == urlsplit(GOOGLE_URL).hostname
    return own or (service.kind == "google" and is_loopback(url))


def _provider(service: Backend, look_up: bool) -> str | None:
    """The provider whose prices are a service's, as genai-prices calls it."""
    if _is_studio(service):
        return "google"
    url = service.base_url or ""
    host = urlsplit(url).hostname or ""
    if service.vertex is not None or re.fullmatch(_CLOUD, host):
        return "google"
    if is_loopback(url):
        return None
    found = _kept(f"address {url}", lambda: _provider_at(url), look_up)
    return found if isinstance(found, str) else None


def _own(service: Backend, model: str, overrides: Overrides) -> Price | None:
    """The price that the user gave; the name may be the one asked for or the service's own."""
    for name, row in overrides.get(service.name, {}).items():
        if model in (name, catalog.bare(name), service.map_model(name)):
            where = f'prices.{service.name}."{name}"'
            return Price(
                input=_amount(row, "input", where),
                output=_amount(row, "output", where),
                cached=_amount(row, "cached", where) if "cached" in row else None,
                source="your configuration",
                as_of="",
            )
    return None


def _amount(row: Mapping[str, str], key: str, where: str) -> Decimal:
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([A-Z]{3})", row.get(key, ""), re.ASCII)
    if match is None:
        raise ConfigError(
            f"{where}: the price of {key} is missing.", f'Add for example: {key} = "0.30 USD"'
        )
    if match[2] != "USD":
        raise ConfigError(
            f"{where}.{key}: only US dollars are understood, not {match[2]}.",
            f'Write for example: {key} = "0.30 USD"',
        )
    return Decimal(match[1])


def _row(service: Backend, provider: str | None, model: str) -> Price | None:
    """The price of our own table."""
    providers = {provider, "ai-studio"} if _is_studio(service) else {provider}
    preset = service.preset if is_loopback(service.base_url or "") else None
    for row in _rows():
        here = row.get("provider") in providers if "provider" in row else row["preset"] == preset
        if here and fnmatchcase(model, row["model"]):
            cached = Decimal(row["cached"]) if "cached" in row else None
            amounts = Decimal(row["input"]), Decimal(row["output"]), cached
            return Price(*amounts, row["source"], row["as_of"].isoformat())
    return None


@functools.cache
def _rows() -> tuple[dict[str, Any], ...]:
    import tomllib

    return tuple(tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))["prices"])


# --- what genai-prices says ----------------------------------------------------------------------


def _listed(provider: str, model: str, at: float, look_up: bool) -> Price | None:
    """The list price at Unix time ``at``."""
    kept = _kept(f"model {provider} {model}", lambda: _schedule(provider, model), look_up)
    try:
        return _current(kept, at) if kept else None
    except (LookupError, TypeError, ValueError, ArithmeticError):  # somebody edited the file
        asked = _schedule(provider, model) if look_up else None
        return _current(asked, at) if asked else None


def _current(schedule: list[dict[str, Any]], at: float) -> Price:
    """The price that holds: the last one whose conditions do, else the first (the library's rule).

    Days and hours are UTC. Source: genai-prices 0.2.3, ``types.ModelInfo.get_prices``.
    """
    now = datetime.fromtimestamp(at, UTC)
    day, hour = now.date().isoformat(), now.time().isoformat("seconds")

    def holds(row: dict[str, Any]) -> bool:
        if not row["hours"]:
            return bool(row["since"] <= day)
        begin, end = row["hours"]
        return begin <= hour < end if begin <= end else not end <= hour < begin

    row = next((row for row in reversed(schedule) if holds(row)), schedule[0])
    first, *steps = ((above, _rates(texts)) for above, *texts in row["rates"])
    source = f"genai-prices {_version()}"
    return Price(*first[1], source, row["since"], tuple(Step(*step) for step in steps))


def _rates(texts: list[str | None]) -> Rates:
    given, output, cached = texts
    return Rates(Decimal(given or 0), Decimal(output or 0), Decimal(cached) if cached else None)


def _provider_at(url: str) -> str | None:
    from genai_prices import data_snapshot

    try:
        found = data_snapshot.get_snapshot().find_provider(None, None, url)
    except LookupError:
        return None
    match = re.match(found.api_pattern, url)
    rest = url[match.end() :] if match else url
    # The library's patterns may end within a host: api.openai.com.elsewhere.example matches.
    whole = not rest or rest[0] in "/:" or url.removesuffix(rest).endswith("/")
    return found.id if whole else None


def _schedule(provider: str, model: str) -> list[dict[str, Any]] | None:
    """A model's price list as JSON data; None where the library does not have this very model."""
    from genai_prices import data_snapshot, types

    try:
        _, found = data_snapshot.get_snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        return None
    asked = model.lower()
    if not any(re.fullmatch(re.escape(one) + _VERSION, asked) for one in _spellings(found)):
        return None  # the library took it for a similar one
    prices = found.prices
    rows = [types.ConditionalPrice(prices=prices)] if not isinstance(prices, list) else prices
    schedule = []
    for row in rows:
        since, hours = "", None
        if isinstance(row.constraint, types.StartDateConstraint):
            since = row.constraint.start_date.isoformat()
        elif row.constraint is not None:
            hours = [_utc(row.constraint.start_time), _utc(row.constraint.end_time)]
        amounts = {key: value for key, value in vars(row.prices).items() if value is not None}
        if not all(key.endswith("_mtok") or key in _ASIDE for key in amounts):
            return None
        if "input_mtok" not in amounts:
            return None  # also where all is missing: "free" and "unknown" look alike there
        schedule.append({"since": since, "hours": hours, "rates": _steps(amounts)})
    return schedule


def _utc(hour: time) -> str:
    """A time of day in UTC, which it is in if it does not say."""
    told = datetime.combine(date(1970, 1, 1), hour, hour.tzinfo or UTC)
    return told.astimezone(UTC).time().isoformat("seconds")


def _spellings(model: Any) -> set[str]:
    """The names that a model of the library goes by."""
    names, clauses = {model.id.lower()}, [model.match]
    while clauses:
        clause = vars(clauses.pop())
        clauses += [*clause.get("or_", ()), *clause.get("and_", ())]
        kinds = ("equals", "starts_with", "ends_with", "contains")
        names |= {clause[kind].lower() for kind in kinds if kind in clause}
    return names


def _steps(amounts: Mapping[str, Any]) -> list[list[Any]]:
    """The rates by the input above which they hold, as texts. Answers are paid as their dearest.

    An answer of a picture model is a picture, and services report one count of output tokens.
    """

    def at(above: int, key: str) -> Decimal | None:
        value = amounts.get(key)
        if value is None or isinstance(value, Decimal):
            return value
        tiers = [tier.price for tier in value.tiers if tier.start <= above]
        return Decimal([value.base, *tiers][-1])

    tiered = [value for value in amounts.values() if not isinstance(value, Decimal)]
    starts = sorted({0, *(tier.start for value in tiered for tier in value.tiers)})
    outputs = [key for key in amounts if key.startswith("output_")]
    rows: list[list[Any]] = []
    for start in starts:
        output = max((at(start, key) or Decimal(0) for key in outputs), default=Decimal(0))
        three = (at(start, "input_mtok"), output, at(start, "cache_read_mtok"))
        rows.append([start, *(None if one is None else str(one) for one in three)])
    return rows


# --- what is kept of it --------------------------------------------------------------------------


def _kept(key: str, ask: Callable[[], Any], look_up: bool) -> Any:
    """What the file says; else, with ``look_up``, what ``ask`` says, which goes into the file."""
    path = paths.cache_dir() / "prices.json"
    book = _book(path, _version())
    if key not in book and look_up:
        book[key] = ask()
        _write(path, book)
    return book.get(key)


@functools.lru_cache(maxsize=4)
def _book(path: Path, version: str) -> dict[str, Any]:
    """The file's content, shared by all who ask in this process; empty for another version's."""
    import json

    try:
        read = json.loads(path.read_bytes())
        if (read["form"], read["version"]) == (_FORM, version):
            return dict(read["said"])
    except (OSError, ValueError, TypeError, LookupError):
        pass
    return {}


def _write(path: Path, book: Mapping[str, Any]) -> None:
    import json

    kept = {"form": _FORM, "version": _version(), "said": book}
    try:
        paths.write_private(path, json.dumps(kept).encode())
    except (OSError, ConfigError):
        return  # asked again by the next kernel, which takes a moment and harms nobody


@functools.cache
def _version() -> str:
    """The version of genai-prices, read off its folder's name: ``importlib.metadata`` is slow."""
    import importlib.util

    spec = importlib.util.find_spec("genai_prices")
    if spec is not None and spec.origin:
        site = Path(spec.origin).parent.parent
        for folder in site.glob("genai_prices-*.dist-info"):
            return folder.name.removeprefix("genai_prices-").removesuffix(".dist-info")
    from importlib.metadata import version

    return version("genai-prices")
