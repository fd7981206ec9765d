"""The engine's bookkeeping: what is asked of the ledger before a request, and told it after.

All of it runs on the ledger's own thread, so that a slow disk never stalls a stream.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from gemini_magic import catalog, paths
from gemini_magic.config import Backend as Service
from gemini_magic.config import Config
from gemini_magic.errors import ConfigError, WireError
from gemini_magic.events import Answered
from gemini_magic.keys import Secret
from gemini_magic.quota import accounts, prices
from gemini_magic.quota.calibrations import Calibrations
from gemini_magic.quota.estimate import Calibration, estimate
from gemini_magic.quota.ledger import Denied, Grant, Ledger
from gemini_magic.quota.opening import budgets_of, open_ledger
from gemini_magic.quota.plan import Asking
from gemini_magic.quota.settlement import Fate
from gemini_magic.quota.store import Amount
from gemini_magic.types import Cost, Left, Message, Part, Reply, Request, Target, Usage

#: Output tokens that are reserved for a model that nothing is known of.
_USUAL_OUTPUT = 2_000
#: Seconds for which a price is not looked for again.
_PRICE_HOLDS = 60.0


class Question(NamedTuple):
    """What a request is going to take, and of whom. ``estimated`` is before any calibration."""

    service: Service
    model: str
    asking: Asking
    amount: Amount
    estimated: int
    price: prices.Price | None

    def stale_limits_apart(self) -> Question:
        """The same, past limits that may be out of date."""
        return self._replace(asking=self.asking._replace(soft=False))


class _Known(NamedTuple):
    """What is known of a price until a time; ``looked_up``: there is no more to be found."""

    price: prices.Price | None
    until: float
    looked_up: bool


class Books:
    """The ledger in force, prices, and what answers taught. Methods raise ``StoreError``."""

    def __init__(self, config: Callable[[], Config]) -> None:
        self._config = config
        self._opened: tuple[Config, Any, Ledger] | None = None
        self._known_for: Config | None = None
        self._prices: dict[tuple[str, str], _Known] = {}
        self._askings: dict[tuple[str, Secret | None, str, bytes], Asking] = {}
        self._calibrations: Calibrations | None = None

    @property
    def ledger(self) -> Ledger:
        """The configured ledger, opened with its first use and when the configuration changed."""
        config = self._config()
        if self._opened is not None and self._opened[0] is config:
            return self._opened[2]
        chosen = tuple(sorted(config.ledger.items()))
        if self._opened is None or self._opened[1] != chosen:
            self.close()
            ledger = open_ledger(config)
        else:
            ledger = self._opened[2]
            ledger.configure(config.limits, config.limits_since)
        self._opened = config, chosen, ledger
        return ledger

    @property
    def quick(self) -> bool:
        """Whether the ledger is open and nobody keeps it waiting."""
        return self._opened is not None and self._opened[2].store.quick()

    def close(self) -> None:
        if self._opened is not None:
            self._opened[2].store.close()
            self._opened = None

    # --- before ---

    def question(
        self, backend: str, key: Secret | None, model: str, request: Request, *, force: bool
    ) -> Question:
        """What to ask the ledger. Raises ``ConfigError`` for a budget without a price."""
        service = self._in_force().backend(backend)
        estimated = estimate(request)
        tokens = self._known(service, model).tokens(estimated)
        budgets = () if _is_free(service) else budgets_of(service)
        price, cost = self.price(service, model, look_up=bool(budgets)), 0
        if budgets:
            if price is None:
                raise ConfigError(
                    f"{service.name} has a budget, but nobody knows the price of {model}; "
                    "nothing was sent.",
                    "Tell it, for a million tokens, in your gemini_magic.toml under "
                    f"[prices.{service.name}]: "
                    f'"{model}" = {{ input = "0.30 USD", output = "2.50 USD" }}',
                )
            cost = prices.planned(price, tokens, self._output(service, model, request))
        asking = self._asking(service, key, model)._replace(budgets=budgets, force=force)
        pictures = (request.settings.count or 1) if "image" in catalog.makes(model) else 0
        amount = Amount(1, tokens, images=pictures, cost=cost)
        return Question(service, model, asking, amount, estimated, price)

    def _asking(self, service: Service, key: Secret | None, model: str) -> Asking:
        """Who asks whom, looked at once for each configuration."""
        salt = self.ledger.salt
        name = service.name, key, model, salt
        if name not in self._askings:
            self._askings[name] = Asking(
                accounts.stream(service, key, model, salt),
                label=accounts.label(service),
                tier=service.tier or "",
                seeded=accounts.counts_as_google(service),
                trusted=accounts.is_googles_own(service),
            )
        return self._askings[name]

    def _in_force(self) -> Config:
        """The configuration in force now; what was known for another one is forgotten."""
        config = self._config()
        if config is not self._known_for:
            self._known_for = config
            self._prices.clear()
            self._askings.clear()
        return config

    def admit(self, question: Question) -> Grant | Denied:
        return self.ledger.admit(question.asking, question.amount)

    def price(self, service: Service, model: str, *, look_up: bool = False) -> prices.Price | None:
        """A model's price as far as it is known at once; ``look_up`` takes a library's time."""
        config, now = self._in_force(), time.time()
        known = self._prices.get((service.name, model))
        if known is None or now >= known.until or (look_up and not known.looked_up):
            price = prices.find(service, model, config.prices, now, look_up=look_up)
            looked_up = look_up or price is not None
            known = self._prices[service.name, model] = _Known(price, now + _PRICE_HOLDS, looked_up)
        return known.price

    def look_up(self, target: Target) -> None:
        """Have the target's list price at hand from now on."""
        self.price(self._config().backend(target.backend), target.model, look_up=True)

    def price_of(self, target: Target) -> str:
        """What a target costs, for people: of a million tokens, or that nobody knows."""
        service = self._config().backend(target.backend)
        price = self.price(service, target.model, look_up=True)
        if price is None:
            return "price unknown"
        if not price.input and not price.output:
            return "free"
        listed = f"${price.input:f} in, ${price.output:f} out a million tokens"
        return f"free tier, list {listed}" if prices.tier_is_free(service) else listed

    def _output(self, service: Service, model: str, request: Request) -> int:
        """How many tokens an answer may have, as far as this model's answers tell."""
        usual = self._known(service, model).p95(_USUAL_OUTPUT)
        most = request.settings.max_output_tokens
        return usual if most is None else min(most, usual)

    def _known(self, service: Service, model: str) -> Calibration:
        if self._calibrations is None:
            self._calibrations = Calibrations(Path(paths.state_dir()) / "calibration.json")
        return self._calibrations.of(f"{service.name}:{model}")

    # --- meanwhile and after ---

    def answered(self, grant: Grant, headers: Answered) -> None:
        """An answer has begun. Only Google's clock tells the ledger the time."""
        date = headers.date if grant.asking.trusted else None
        self.ledger.answered(grant, max(0.0, time.time() - headers.at), date)

    def settle(
        self,
        question: Question,
        grant: Grant | None,
        fate: Fate,
        reply: Reply,
        wire: WireError | None,
        headers: Answered | None = None,
    ) -> Reply:
        """Count what a request took; the reply with what is left and what it cost.

        ``wire`` is what the service refused with; the ledger learns from it. ``headers`` are those
        that ``answered`` was not told of.
        """
        usage = _counted(question, fate, reply)
        cost = self._cost(question, fate, usage)
        output = (usage.output_tokens or 0) + (usage.thought_tokens or 0)
        left: tuple[Left, ...] = ()
        if grant is not None:
            ledger = self.ledger
            if wire is not None:
                _learn(ledger, grant, wire)
            left = ledger.settle(
                grant,
                fate,
                tokens=usage.input_tokens,
                output=output,
                images=sum((p.mime_type or "").startswith("image/") for p in reply.media),
                cost=cost.paid if cost else 0,
                ago=max(0.0, time.time() - headers.at) if headers else None,
                date=headers.date if headers and grant.asking.trusted else None,
            )
            version = catalog.bare(reply.model_version or "").lower()
            if fate == "answered" and catalog.is_google(version):
                ledger.answers_as(grant, version)
        if fate == "answered" and self._calibrations is not None:
            real = reply.usage.input_tokens  # an estimate teaches nothing
            name = f"{question.service.name}:{question.model}"
            self._calibrations.learn(name, question.estimated, real, output)
        return reply.replace(left=left, cost=cost)

    def _cost(self, question: Question, fate: Fate, usage: Usage) -> Cost | None:
        if fate not in ("cut", "answered"):
            return None
        price = question.price or self.price(question.service, question.model)
        if price is None:
            return None
        listed = prices.cost(price, usage)
        return Cost(0 if _is_free(question.service) else listed, listed)


def _is_free(service: Service) -> bool:
    """Whether an answer costs nothing. A budget counts unless the user says that the tier is free:
    a key does not tell."""
    return prices.tier_is_free(service) and (service.tier == "free" or not service.budget)


def _learn(ledger: Ledger, grant: Grant, wire: WireError) -> None:
    from gemini_magic.quota.lessons import lesson  # with the first failure

    if (told := lesson(wire)) is not None:
        ledger.learn(grant, told)


def _counted(question: Question, fate: Fate, reply: Reply) -> Usage:
    """The usage that a service told; what it did not tell of what it sent is estimated."""
    usage = reply.usage
    told = usage.output_tokens is not None
    if fate not in ("cut", "answered") or told or (fate == "answered" and usage.input_tokens):
        return usage
    came = reply.thoughts + reply.text
    output = estimate(Request((Message("model", (Part(text=came),)),))) if came else 0
    return Usage(usage.input_tokens or question.amount.tokens, output)
