"""Knows what is left: admits requests, settles them, and learns from what services answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from gemini_magic.quota import rules as changes
from gemini_magic.quota import windows
from gemini_magic.quota.limits import seed
from gemini_magic.quota.plan import Asking, Budget, Planned, Shut, make
from gemini_magic.quota.rules import LEARNED, USER, Bucket, Limit, Rules, from_json, to_json
from gemini_magic.quota.settlement import Fate, settled
from gemini_magic.quota.store import Admitted, Amount, Full, Look, Obstacle, Store, StoreError
from gemini_magic.quota.usage import BucketUse, BudgetUse, DayUse, Snapshot, WindowUse
from gemini_magic.quota.windows import WINDOWS
from gemini_magic.types import Left

if TYPE_CHECKING:
    from gemini_magic.quota.lessons import Lesson

#: The limits of a user's configuration: project, model, window, size.
UserLimits = Mapping[str, Mapping[str, Mapping[str, int]]]
#: How often a change is tried again that somebody else came before.
_TRIES = 100
#: Seconds by which the ledger's clock may differ from a service's before it is set anew.
_SKEW = 3.0
#: Seconds by which nobody's clock is wrong: such a date is.
_BEYOND_BELIEF = 86_400.0
#: Requests between two clearings of events that no window needs any more.
_FOLD = 500
#: Days for which a bucket that nobody uses is still shown.
_SHOWN = 7


class Grant(NamedTuple):
    """A reservation that was made. ``at`` is the time of the ledger's clock.

    ``allowance`` is what a budget leaves for this request, in micro-dollars; None without one.
    """

    id: str
    at: float
    asking: Asking
    amount: Amount
    bucket: Bucket
    allowance: int | None = None


class Wall(NamedTuple):
    """A window without room for a request: how full it is and when it will have room.

    ``opens`` is ``inf`` where it never will have; ``size`` is None for a closed window of unknown
    size. ``closed`` says that the service itself refused.
    """

    window: str
    used: int
    size: int | None
    opens: float
    firm: bool
    limit: Limit | None = None
    closed: bool = False


class Denied(NamedTuple):
    """No room now; nothing was taken. ``at`` is the time of the ledger's clock."""

    bucket: Bucket
    walls: tuple[Wall, ...]
    at: float

    @property
    def firm(self) -> bool:
        """Whether a wall stands that a request must not go through."""
        return any(wall.firm for wall in self.walls)

    @property
    def last(self) -> Wall:
        """The wall that falls last; firm ones count before others."""
        return max(self.walls, key=lambda wall: (wall.firm, wall.opens))


class Ledger:
    """The ledger in one store, for one thread at a time. Methods raise ``StoreError``.

    ``user_limits`` are those of the configuration, in force since ``user_limits_at`` (Unix time).
    """

    def __init__(self, store: Store, *, failures_count: bool = True) -> None:
        self.store = store
        self.user_limits: UserLimits = {}
        self.user_limits_at = 0.0
        self._failures_count = failures_count
        self._rules: tuple[int, Rules] | None = None
        self._plans: dict[Asking, Planned] = {}
        self._settled = 0

    @property
    def salt(self) -> bytes:
        """What keys are hashed with: the store's own, which may be a new one after damage."""
        return self.store.salt()

    def configure(self, limits: UserLimits, since: float) -> None:
        """Take over the limits of the user's configuration."""
        if (limits, since) != (self.user_limits, self.user_limits_at):
            self.user_limits, self.user_limits_at = limits, since
            self._plans.clear()

    # --- admission ---

    def admit(self, asking: Asking, amount: Amount) -> Grant | Denied:
        """Reserve what a request is going to take, or say what is in its way."""
        for _ in range(_TRIES):
            planned = self._plans.get(asking) or self._planned(asking)
            if isinstance(planned, Shut):
                return self._shut(planned)
            outcome = self.store.reserve(planned.plan._replace(amount=amount))
            match outcome:
                case Admitted(id, at):
                    allowance = self._allowance(asking, amount)
                    return Grant(id, at, asking, amount, planned.bucket, allowance)
                case Full(obstacles, at):
                    self._take_back(planned)
                    walls = tuple(_wall(one, planned) for one in obstacles)
                    return Denied(planned.bucket, walls, at)
                case _:
                    self._take_back(planned)
                    self._forget_plans()
        raise StoreError(f"{self.store.where}: its rules change too fast")

    def _planned(self, asking: Asking) -> Planned | Shut:
        stream = asking.stream

        def introduce(rules: Rules) -> Rules:
            known = changes.with_stream(rules, stream)
            if asking.label:
                known = changes.with_label(known, stream.account, asking.label)
            return known

        version, rules = self._change(introduce)
        now = self.store.now()
        made = make(rules, version, asking, now, self._finder(rules, asking.seeded))
        closure = rules.closure(made.bucket)
        if isinstance(made, Planned) and closure and closure.lag and not asking.force:
            # It may have been the day before's: one request finds out, the others wait for it.
            probe = changes.probing(rules, made.bucket, now)
            if not self.store.replace_rules(version, to_json(probe)):
                self._forget_plans()
                return self._planned(asking)
            self._rules = version + 1, probe
            plan = made.plan._replace(version=version + 1)
            return made._replace(plan=plan, before=rules)
        if isinstance(made, Planned):
            self._plans[asking] = made
        return made

    def _take_back(self, planned: Planned) -> None:
        """Leave the try after lag to the next request, where this one was not let in."""
        if planned.before is not None:
            self.store.replace_rules(planned.plan.version, to_json(planned.before))
            self._forget_plans()

    def _shut(self, shut: Shut) -> Denied:
        closure, limit = shut.closure, shut.limit
        size = limit.size if limit else None
        wall = Wall(closure.window, size or 0, size, closure.until, True, limit, closed=True)
        return Denied(shut.bucket, (wall,), self.store.now())

    def _allowance(self, asking: Asking, amount: Amount) -> int | None:
        """What the budgets leave for the request just admitted, its own reservation included."""
        if not asking.budgets or asking.force:
            return None
        now = self.store.now()
        return amount.cost + min(
            budget.limit - self.store.totals((budget.scope,), budget.name(now)).cost
            for budget in asking.budgets
        )

    def grow(self, grant: Grant, cost: int) -> Grant:
        """A request turns out to cost ``cost`` or more: reserve that, whatever the budgets say.

        What they leave for it then is the new grant's ``allowance``.
        """
        amount = replace(grant.amount, cost=cost)
        self.store.settle(grant.id, amount, amount)
        return grant._replace(amount=amount, allowance=self._allowance(grant.asking, amount))

    def renew(self, grant: Grant) -> None:
        """No answer has begun yet: the service may have got the request as late as now."""
        self.store.renew(grant.id)

    def answered(self, grant: Grant, ago: float, date: float | None = None) -> None:
        """The answer's headers came ``ago`` seconds ago, at ``date`` by the service's clock.

        Unix seconds, about as exact as a Date header; None leaves the ledger's clock alone.
        """
        self.store.answered(grant.id, ago)
        if date is not None:
            self._set_clock(date + ago, self.store.now())

    def _set_clock(self, told: float, now: float) -> None:
        """A service's clock says ``told`` at ``now`` by the ledger's."""
        if _SKEW < abs(told - now) < _BEYOND_BELIEF:
            self.store.correct_clock(told - now, now)

    def settle(
        self,
        grant: Grant,
        fate: Fate,
        *,
        tokens: int | None = None,
        output: int = 0,
        images: int = 0,
        cost: int = 0,
        ago: float | None = None,
        date: float | None = None,
    ) -> tuple[Left, ...]:
        """Count what the request really took; what is left of its bucket then.

        With ``ago``, and ``date``, what ``answered`` tells is told at the same time.
        """
        minute, total = settled(
            fate,
            grant.amount,
            tokens=tokens,
            output=output,
            images=images,
            cost=cost,
            failures_count=self._failures_count,
        )
        look = self.store.settle(grant.id, minute, total, ago)
        self._settled += 1
        if self._settled % _FOLD == 1:
            self.store.fold()
        rules, bucket, look = self._looked(grant.asking, look)
        if ago is not None and date is not None:
            self._set_clock(date + ago, look.now)
        uses = self._uses(rules, bucket, look, grant.asking.seeded)
        if fate == "answered":
            self._answered_above(rules, bucket, uses, grant.at)
        return tuple(map(_left, uses))

    def _looked(self, asking: Asking, own: Look | None) -> tuple[Rules, Bucket, Look]:
        """How things stand with a bucket, which may be known better than when it was asked of.

        ``own`` is how they stand with the asking's own stream, where that was looked at just now.
        """
        for _ in range(_TRIES):
            version, rules = self._rules or self._read()
            if planned := self._plans.get(asking):
                bucket, scopes = planned.bucket, planned.scopes
            else:
                bucket = rules.bucket(asking.stream.account, asking.stream.model, asking.tier)
                scopes = rules.scopes(bucket)
            alone = own is not None and own.version == version and scopes == (asking.stream.scope,)
            look = own if own is not None and alone else self.store.look(scopes)
            if look.version == version:
                return rules, bucket, look
            self._forget_plans()
        raise StoreError(f"{self.store.where}: its rules change too fast")

    # --- learning ---

    def learn(self, grant: Grant, lesson: Lesson) -> None:
        """A service refused a request: remember what it said."""
        now = self.store.now()
        account, asked = grant.asking.stream.account, grant.asking.stream.model

        def change(rules: Rules) -> Rules:
            if lesson.model and grant.asking.trusted:
                rules = changes.with_alias(rules, asked, lesson.model.lower())
            if lesson.project and grant.asking.trusted:
                rules = changes.with_consumer(rules, account, lesson.project)
            bucket = rules.bucket(account, asked, grant.asking.tier)
            for told in lesson.sizes:
                # The service knows better than the user which tier it is, for the time being.
                for tier in dict.fromkeys((lesson.tier or bucket.tier, bucket.tier)):
                    rules = changes.with_learned(rules, bucket, told.window, told.size, now, tier)
            full = {"limit0": "limit0", "window": lesson.window or "rpm"}.get(lesson.kind)
            if full:
                bucket = rules.bucket(account, asked, grant.asking.tier)
                rules = changes.closed(rules, bucket, full, now, bucket.tier, lesson.wait)
            return rules

        self._change(change)

    def answers_as(self, grant: Grant, model: str) -> None:
        """A service said under which name it answered: that one's quota is used."""
        asked = grant.asking.stream.model
        if not grant.asking.trusted or model == grant.bucket.model or not _is_alias(asked, model):
            return
        self._change(lambda rules: changes.with_alias(rules, asked, model))

    def _answered_above(
        self, rules: Rules, bucket: Bucket, uses: Iterable[WindowUse], asked: float
    ) -> None:
        """A success beyond what a service once told takes that back, and opens the bucket.

        Only of a request that was ``asked`` after that: others may be on their way still.
        """
        above = [
            use
            for use in uses
            if use.limit
            and use.limit.provenance == LEARNED
            and use.limit.as_of < asked
            and use.used > use.limit.size
        ]
        closure = rules.closure(bucket)
        opens = closure is not None and closure.at < asked
        if not above and not opens:
            return

        def change(rules: Rules) -> Rules:
            for use in above:
                rules = changes.risen(rules, bucket, use.window, use.used)
            return changes.reopened(rules, bucket) if opens else rules

        self._change(change)

    # --- what the user says ---

    def buckets(self) -> dict[Bucket, tuple[changes.Stream, ...]]:
        """The buckets known so far, each with its streams."""
        _, rules = self._read()
        found: dict[Bucket, list[changes.Stream]] = defaultdict(list)
        for stream in rules.streams.values():
            found[rules.bucket(stream.account, stream.model)].append(stream)
        return {bucket: tuple(streams) for bucket, streams in found.items()}

    def bucket_of(self, stream: changes.Stream, label: str, tier: str) -> Bucket:
        """The bucket that a stream belongs to, if it has been asked already or not."""
        _, rules = self._read()
        if label:
            rules = changes.with_label(rules, stream.account, label)
        return rules.bucket(stream.account, stream.model, tier)

    def set_limits(self, bucket: Bucket, sizes: Mapping[str, int | None]) -> None:
        """The user says how large windows are; None forgets what the user said."""
        now = self.store.now()

        def change(rules: Rules) -> Rules:
            for window, size in sizes.items():
                rules = changes.with_user_limit(rules, bucket, window, size, now)
            return changes.reopened(rules, bucket)

        self._change(change)

    def reset(self, bucket: Bucket, *, counts: bool = False) -> None:
        """Forget what was set and learned of a bucket; with ``counts`` also what it used."""
        _, rules = self._change(lambda rules: changes.forgotten(rules, bucket))
        if counts:
            self.store.forget(rules.scopes(bucket))

    # --- what faces show ---

    def changes(self) -> int:
        """A number that differs from the last call's when anything changed in between."""
        return self.store.changes()

    def snapshot(
        self,
        seeded: Callable[[str], bool],
        budgets: Sequence[Budget] = (),
        tiers: Mapping[str, str] | None = None,
    ) -> Snapshot:
        """What is in use now. ``seeded(host)`` says whether Google's limits apply to a host.

        ``tiers`` are the user's words for the tiers of backends.
        """
        told = tiers or {}
        now = self.store.now()
        _, rules = self._read()
        since = windows.day(now - _SHOWN * 86_400)
        used = {scope for scope, _ in self.store.history(since)}
        groups: dict[Bucket, list[changes.Stream]] = defaultdict(list)
        for scope, stream in rules.streams.items():
            if scope in used:
                tier = told.get(stream.backend, "")
                groups[rules.bucket(stream.account, stream.model, tier)].append(stream)
        buckets = tuple(
            BucketUse(
                bucket=bucket,
                backends=tuple(dict.fromkeys(stream.backend for stream in streams)),
                models=tuple(dict.fromkeys(stream.model for stream in streams)),
                guessed=bucket.project in {stream.account for stream in streams},
                windows=self._windows(rules, bucket, any(seeded(s.host) for s in streams)),
            )
            for bucket, streams in groups.items()
        )
        money = tuple(
            BudgetUse(
                backend=budget.backend,
                period=budget.period,
                used=self.store.totals((budget.scope,), budget.name(now)).cost,
                limit=budget.limit,
                resets=budget.ends(now),
            )
            for budget in budgets
        )
        return Snapshot(now, buckets, money, where=self.store.where)

    def history(self, days: int) -> list[DayUse]:
        """What every model of every backend used in the last ``days`` Pacific days, by day."""
        now = self.store.now()
        _, rules = self._read()
        since = windows.day(now - (days - 1) * 86_400)
        found = [
            DayUse(
                period, stream.backend, bucket.project, stream.model, bucket.tier, used.requests,
                used.tokens, used.output, used.images, used.cost,
            )
            for (scope, period), used in self.store.history(since).items()
            if (stream := rules.streams.get(scope)) is not None and used != Amount()
            for bucket in (rules.bucket(stream.account, stream.model),)
        ]  # fmt: skip
        return sorted(found, key=lambda use: (use.day, use.backend, use.model))

    def _windows(self, rules: Rules, bucket: Bucket, seeded: bool) -> tuple[WindowUse, ...]:
        """The windows of a bucket as meters show them: with when they open."""
        scopes = rules.scopes(bucket)
        look = self.store.look(scopes)
        leaves = self.store.leaves(scopes) if look.minute.requests else None
        return self._uses(rules, bucket, look, seeded, leaves)

    def _uses(
        self,
        rules: Rules,
        bucket: Bucket,
        look: Look,
        seeded: bool,
        leaves: float | None = None,
    ) -> tuple[WindowUse, ...]:
        """How full the windows of a bucket are: those that are used or limited.

        ``leaves`` is when the minute will have one request less.
        """
        now, minute, day = look.now, look.minute, look.day
        closure, find = rules.closure(bucket), self._finder(rules, seeded)
        found = []
        for window, (_, unit, daily, _) in WINDOWS.items():
            used = getattr(day if daily else minute, unit)
            limit = find(bucket, window, now)
            closed = closure and closure.until > now and closure.window in (window, "limit0")
            if limit is None and not closed and not (used and window == "rpd"):
                continue
            if closed and limit:
                used = max(used, limit.size)
            ends = windows.midnight(now) + windows.LATE if daily else leaves
            resets = ends if used else None
            until = closure.until if closure and closed else None
            found.append(WindowUse(window, used, limit, resets, until))
        return tuple(found)

    # --- the rules ---

    def _finder(self, rules: Rules, seeded: bool) -> Callable[[Bucket, str, float], Limit | None]:
        def find(bucket: Bucket, window: str, now: float) -> Limit | None:
            published = seed(bucket.model, bucket.tier, window) if seeded else None
            limit = rules.limit(bucket, window, published, now)
            mine = self._configured(rules, bucket).get(window)
            if mine is None or (limit and limit.firm and limit.as_of > self.user_limits_at):
                return limit
            return Limit(window, mine, USER, True, self.user_limits_at)

        return find

    def _configured(self, rules: Rules, bucket: Bucket) -> Mapping[str, int]:
        """The limits of the configuration for a bucket, under whichever of its names."""
        found: dict[str, int] = {}
        for project, models in self.user_limits.items():
            for model, sizes in models.items():
                if rules.is_about(project, model, bucket):
                    found = {**sizes, **found} if model != bucket.model else {**found, **sizes}
        return found

    def _read(self) -> tuple[int, Rules]:
        version, document = self.store.rules()
        if self._rules is None or self._rules[0] != version:
            self._forget_plans()
            try:
                self._rules = version, from_json(document)
            except ValueError as problem:
                raise StoreError(f"{self.store.where}: {problem}") from None
        return self._rules

    def _change(self, change: Callable[[Rules], Rules]) -> tuple[int, Rules]:
        """Change the rules, whoever else changes them meanwhile."""
        for _ in range(_TRIES):
            version, rules = self._read()
            changed = change(rules)
            if changed is rules or changed == rules:
                return version, rules
            changed = changes.tidied(changed, self.store.now())
            if self.store.replace_rules(version, to_json(changed)):
                self._plans.clear()
                self._rules = version + 1, changed
                return self._rules
        raise StoreError(f"{self.store.where}: its rules change too fast")

    def _forget_plans(self) -> None:
        self._plans.clear()
        self._rules = None


def _wall(obstacle: Obstacle, planned: Planned) -> Wall:
    gate = obstacle.gate
    limit = planned.limits.get(gate.window)
    return Wall(gate.window, obstacle.used, gate.limit, obstacle.opens, gate.hard, limit)


def _left(use: WindowUse) -> Left:
    limit = use.limit
    if limit is None:
        return Left(use.window, use.used)
    return Left(use.window, use.used, limit.size, limit.provenance, limit.firm)


def _is_alias(asked: str, answered: str) -> bool:
    """Whether an answering model is another one, not a dated version of the one that was asked."""
    return not answered.startswith(asked) and not asked.startswith(answered)
