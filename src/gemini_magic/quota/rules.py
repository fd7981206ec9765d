"""What is known of projects and their limits: one document, shared by all who use a store.

It is small and changes rarely, so it is read whole, changed as a value and written whole. Nothing
here counts anything or reads a clock: every function takes the time of the ledger's clock.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from gemini_magic.quota.windows import LAG, LATE, dawn, midnight

#: Seconds for which a refusal for the day closes a bucket shortly after midnight.
LAG_PAUSE = 120.0
#: Seconds for which a service is believed that it admits nothing, of a minute and of a day.
_MINUTE_AT_MOST, _DAY_AT_MOST = 3_600.0, 31 * 86_400.0
#: The provenances of a limit, as people see them.
SEED, USER, LEARNED = "seed", "user", "learned"


@dataclass(frozen=True, slots=True)
class Stream:
    """What is counted together, whatever is learned later: a model as one account asks for it.

    ``account`` is the salted hash of a key, or a project that is known from the start; ``backend``
    and ``host`` are for people.
    """

    account: str
    model: str
    backend: str = field(default="", compare=False)
    host: str = field(default="", compare=False)

    @property
    def scope(self) -> str:
        return f"{self.account}/{self.model}"


class Bucket(NamedTuple):
    """What a service counts together: a project, the model whose quota it is, and a tier."""

    project: str
    model: str
    tier: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, (self.project, self.model, self.tier)))


class Known(NamedTuple):
    """A limit that a user set or a service told: its size, since when, and in which tier.

    ``firm_until`` is when a learned limit stops refusing requests (it paces them from then on).
    """

    limit: int
    at: float
    tier: str = ""
    firm_until: float = 0.0


class Closure(NamedTuple):
    """A bucket in which a service admits nothing before ``until``.

    ``lag`` says that it may be the day before's: when it is over, one request may try.
    """

    window: str
    until: float
    at: float
    tier: str = ""
    lag: bool = False


class Limit(NamedTuple):
    """A limit in force: ``firm`` ones refuse, others pace and warn.

    ``as_of`` is Unix time; ``confidence`` and ``source`` are a seed's.
    """

    window: str
    size: int
    provenance: str
    firm: bool
    as_of: float
    confidence: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """The document. Keys of ``limits``: project, model, window, provenance, tier.

    ``labels`` and ``consumers`` name the projects of accounts: the user's word, and a service's.
    ``aliases`` lead from a model as asked to the model whose quota it uses.
    """

    streams: Mapping[str, Stream] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    consumers: Mapping[str, str] = field(default_factory=dict)
    tiers: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[tuple[str, str, str, str, str], Known] = field(default_factory=dict)
    closures: Mapping[tuple[str, str], Closure] = field(default_factory=dict)

    # --- who is who ---

    def project(self, account: str) -> str:
        """The project of an account; the account itself while nothing names it."""
        if account in self.labels:
            return self.labels[account]
        consumer = self.consumers.get(account)
        if consumer is None:
            return account
        same = (one for one, named in self.consumers.items() if named == consumer)
        return min((self.labels[one] for one in same if one in self.labels), default=consumer)

    def quota_model(self, model: str) -> str:
        """The model whose quota a model uses."""
        seen = {model}
        while (following := self.aliases.get(model, model)) not in seen:
            seen.add(following)
            model = following
        return model

    def bucket(self, account: str, model: str, tier: str = "") -> Bucket:
        """The bucket of a stream. ``tier`` is the user's word for it."""
        project = self.project(account)
        told = (t for name, t in self.tiers.items() if self.current_name(name) == project)
        return Bucket(project, self.quota_model(model), tier or next(told, ""))

    def scopes(self, bucket: Bucket) -> tuple[str, ...]:
        """The streams that a bucket consists of, as far as is known now."""
        return tuple(
            scope
            for scope, stream in self.streams.items()
            if self.quota_model(stream.model) == bucket.model
            and self.project(stream.account) == bucket.project
        )

    def is_about(self, project: str, model: str, bucket: Bucket) -> bool:
        """Whether what was noted under these names, whenever that was, is about the bucket."""
        return (
            self.quota_model(model) == bucket.model and self.current_name(project) == bucket.project
        )

    def current_name(self, project: str) -> str:
        """A project's name by now: an account may have become one, a consumer have got a label."""
        if project in self.labels or project in self.consumers:
            return self.project(project)
        same = (one for one, named in self.consumers.items() if named == project)
        return min((self.labels[one] for one in same if one in self.labels), default=project)

    # --- limits ---

    def limit(self, bucket: Bucket, window: str, seed: Limit | None, now: float) -> Limit | None:
        """The limit of a bucket's window: the newest of the user's and a firm learned one.

        Without those: the newer of a learned one that has expired and the seed, not firm.
        """
        user = self._newest(bucket, window, USER, "")
        learned = self._newest(bucket, window, LEARNED, bucket.tier)
        if learned and learned.firm_until > now and not (user and user.at > learned.at):
            return Limit(window, learned.limit, LEARNED, True, learned.at)
        if user:
            return Limit(window, user.limit, USER, True, user.at)
        if learned and not (seed and seed.as_of > learned.at):
            return Limit(window, learned.limit, LEARNED, False, learned.at)
        return seed

    def _newest(self, bucket: Bucket, window: str, provenance: str, tier: str) -> Known | None:
        found = [
            known
            for (project, model, *rest), known in self.limits.items()
            if rest == [window, provenance, tier] and self.is_about(project, model, bucket)
        ]
        return max(found, key=lambda known: known.at, default=None)

    def closure(self, bucket: Bucket) -> Closure | None:
        """What closes the bucket now or did last; None if nothing, or only in another tier."""
        found = [
            closure
            for (project, model), closure in self.closures.items()
            if self.is_about(project, model, bucket)
            and not (closure.tier and bucket.tier and closure.tier != bucket.tier)
        ]
        return max(found, key=lambda closure: closure.until, default=None)


# --- what changes them, each a new value ---------------------------------------------------------


def with_stream(rules: Rules, stream: Stream) -> Rules:
    """A stream is seen for the first time, or under another backend's name."""
    known = rules.streams.get(stream.scope)
    if known and (known.backend, known.host) == (stream.backend, stream.host):
        return rules
    return replace(rules, streams={**rules.streams, stream.scope: stream})


def with_label(rules: Rules, account: str, label: str) -> Rules:
    """The user says whose account it is; "" takes that back. History follows at once."""
    if rules.labels.get(account, "") == label:
        return rules
    labels = {k: v for k, v in rules.labels.items() if k != account}
    return replace(rules, labels={**labels, account: label} if label else labels)


def with_consumer(rules: Rules, account: str, consumer: str) -> Rules:
    """A service names the account's project."""
    if rules.consumers.get(account) == consumer:
        return rules
    return replace(rules, consumers={**rules.consumers, account: consumer})


def with_alias(rules: Rules, model: str, quota_model: str) -> Rules:
    """``model`` uses the quota of ``quota_model``. A circle is not made."""
    if rules.quota_model(model) == quota_model == rules.quota_model(quota_model):
        return rules
    aliases = {k: v for k, v in rules.aliases.items() if k not in (model, quota_model)}
    if model != quota_model:
        aliases[model] = quota_model
    return replace(rules, aliases=aliases)


def with_user_limit(
    rules: Rules, bucket: Bucket, window: str, size: int | None, now: float
) -> Rules:
    """The user says what a limit is, in every tier; None takes that back."""
    limits = {
        key: known
        for key, known in rules.limits.items()
        if key[2:4] != (window, USER) or not rules.is_about(*key[:2], bucket)
    }
    if size is not None:
        limits[bucket.project, bucket.model, window, USER, ""] = Known(size, now)
    return replace(rules, limits=limits)


def with_learned(
    rules: Rules, bucket: Bucket, window: str, size: int, now: float, tier: str = ""
) -> Rules:
    """A service said how large a window is. It refuses until the next Pacific midnight.

    So a new day, a new tier: a user who upgraded is not held by the limit of the day before.
    """
    key = (bucket.project, bucket.model, window, LEARNED, tier)
    known = Known(size, now, tier, midnight(now) + LATE)
    learned = replace(rules, limits={**rules.limits, key: known})
    if tier:
        others = {k: v for k, v in rules.tiers.items() if rules.current_name(k) != bucket.project}
        learned = replace(learned, tiers={**others, bucket.project: tier})
    return learned


def risen(rules: Rules, bucket: Bucket, window: str, used: int) -> Rules:
    """A request succeeded although ``used`` were used with it: a learned limit was too low."""
    limits = dict(rules.limits)
    for key, known in rules.limits.items():
        here = key[2:] == (window, LEARNED, bucket.tier) and rules.is_about(*key[:2], bucket)
        if here and known.limit < used:
            limits[key] = known._replace(limit=used, firm_until=0.0)
    return rules if limits == rules.limits else replace(rules, limits=limits)


def closed(
    rules: Rules, bucket: Bucket, window: str, now: float, tier: str, wait: float | None
) -> Rules:
    """A service refused: it admits nothing for ``wait`` seconds, or to the end of the window.

    Shortly after midnight a refusal for the day is taken for the day before's, for two minutes.
    ``wait`` None: the service did not say, as Google does not for its days.
    """
    lag = False
    if window == "limit0" or (window in ("rpd", "tpd") and wait is None):
        until = midnight(now) + LATE
        if window != "limit0" and now < dawn(now) + LAG:
            until, lag = now + LAG_PAUSE, True
    else:
        longest = _DAY_AT_MOST if window in ("rpd", "tpd") else _MINUTE_AT_MOST
        until = now + min(60.0 if wait is None else wait, longest)
    known = rules.closure(bucket)
    if known and known.until > until:
        return rules
    closure = Closure(window, until, now, tier, lag)
    key = (bucket.project, bucket.model)
    return replace(rules, closures={**rules.closures, key: closure})


def reopened(rules: Rules, bucket: Bucket) -> Rules:
    """The service answers again."""
    kept = {k: v for k, v in rules.closures.items() if not rules.is_about(*k, bucket)}
    return rules if len(kept) == len(rules.closures) else replace(rules, closures=kept)


def probing(rules: Rules, bucket: Bucket, now: float) -> Rules:
    """One request tries a bucket that was closed by lag; others wait for what it finds."""
    known = rules.closure(bucket)
    if known is None:
        return rules
    again = known._replace(until=now + LAG_PAUSE)
    key = (bucket.project, bucket.model)
    return replace(rules, closures={**reopened(rules, bucket).closures, key: again})


def forgotten(rules: Rules, bucket: Bucket) -> Rules:
    """What was set or learned of a bucket's limits is forgotten; who is who stays."""
    limits = {k: v for k, v in rules.limits.items() if not rules.is_about(*k[:2], bucket)}
    return reopened(replace(rules, limits=limits), bucket)


def tidied(rules: Rules, now: float) -> Rules:
    """Without the closures that were over a day ago."""
    kept = {k: v for k, v in rules.closures.items() if v.until > now - 86_400}
    return replace(rules, closures=kept)


# --- the document --------------------------------------------------------------------------------


def to_json(rules: Rules) -> str:
    """The rules as a document; ``from_json`` reads it."""
    document: dict[str, Any] = {
        "streams": [asdict(stream) for stream in rules.streams.values()],
        "limits": [[*key, known._asdict()] for key, known in rules.limits.items()],
        "closures": [[*key, closure._asdict()] for key, closure in rules.closures.items()],
    }
    for name in ("labels", "consumers", "tiers", "aliases"):
        document[name] = dict(getattr(rules, name))
    return json.dumps(document)


def from_json(document: str) -> Rules:
    """The rules of a document; the empty text means none. Raises ``ValueError``."""
    if not document:
        return Rules()
    read = json.loads(document)
    try:
        streams = [Stream(**row) for row in read["streams"]]
        return Rules(
            streams={stream.scope: stream for stream in streams},
            limits={(p, m, w, s, t): Known(**row) for p, m, w, s, t, row in read["limits"]},
            closures={(p, m): Closure(**row) for p, m, row in read["closures"]},
            **{name: _texts(read[name]) for name in ("labels", "consumers", "tiers", "aliases")},
        )
    except (KeyError, TypeError, AttributeError) as problem:
        raise ValueError(f"no rules of this version: {problem}") from None


def _texts(pairs: Mapping[str, str]) -> dict[str, str]:
    return {str(key): str(value) for key, value in pairs.items()}
