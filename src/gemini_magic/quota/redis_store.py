"""The store of a team on many machines: a Redis server, with every operation atomic in it."""

from __future__ import annotations

import functools
import importlib.util
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from gemini_magic.errors import MissingExtra
from gemini_magic.quota.clock import TOLERANCE, Clock
from gemini_magic.quota.store import (
    GRACE,
    MINUTE,
    MINUTE_UNITS,
    MOVED,
    UNITS,
    Admitted,
    Amount,
    Full,
    Look,
    NewerStore,
    Obstacle,
    Outcome,
    Plan,
    Stale,
    StoreError,
)
from gemini_magic.quota.windows import day

if TYPE_CHECKING:
    from redis.commands.core import Script

#: The version of the keys; a server with a higher one is left alone.
SCHEMA = 1
#: What every key begins with. The braces keep the keys of a cluster together on one node.
PREFIX = "{gemini_magic}:"
#: Seconds that single events are kept for late settlements, once no window needs them.
_KEPT = 2 * 86_400
#: Seconds that totals are kept for the history.
_TOTALS_KEPT = 400 * 86_400
#: Seconds to wait for the server.
_PATIENCE = 3.0


class RedisStore:
    """A Redis server (5 or newer), connected with its first use; one thread at a time.

    ``url`` is redis://, rediss:// or unix://. Time is the server's own; ``clock`` stands in for it
    in tests. Raises ``MissingExtra`` without the package redis.
    """

    def __init__(self, url: str, password: str | None = None, clock: Clock | None = None) -> None:
        if importlib.util.find_spec("redis") is None:
            raise MissingExtra("redis", "redis")
        self.where = _without_password(url)
        self._url = url
        self._password = password
        self._clock = clock
        self._script: Script | None = None

    # --- time ---

    def quick(self) -> bool:
        return False  # a network is between

    def now(self) -> float:
        return float(self._run("now"))

    def correct_clock(self, ahead: float, seen: float | None = None) -> None:
        if seen is not None and abs(self.now() - seen) > MOVED:
            return
        self._run("correct_clock", ahead=repr(ahead))

    # --- the rules ---

    def salt(self) -> bytes:
        return bytes.fromhex(self._run("salt", salt=os.urandom(16).hex()).decode())

    def rules(self) -> tuple[int, str]:
        version, document = self._run("rules")
        return int(version), document.decode()

    def replace_rules(self, version: int, document: str) -> bool:
        return bool(self._run("replace_rules", version=version, document=document))

    # --- counting ---

    def reserve(self, plan: Plan) -> Outcome:
        pools = list(dict.fromkeys((gate.scopes, gate.period) for gate in plan.gates))
        answer, now, *rest = self._run(
            "reserve",
            version=plan.version,
            until=repr(plan.until),
            scope=plan.scope,
            amount=plan.amount.values,
            pools=pools,
            gates=[
                (
                    1 + pools.index((gate.scopes, gate.period)),
                    1 + UNITS.index(gate.unit),
                    gate.limit,
                )
                for gate in plan.gates
            ],
            counted=[f"{period}\t{scope}" for scope, period in plan.counted],
        )
        at = float(now)
        if answer == b"admitted":
            return Admitted(rest[0].decode(), at)
        if answer == b"future":
            self._run("disbelieve", today=day(at))
        if answer in (b"stale", b"future"):
            return Stale(int(rest[0]), at)
        obstacles = []
        for place, used, opens in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
            gate = plan.gates[int(place) - 1]
            # Only Python knows when a period ends; "inf" stays.
            when = float(opens) or gate.opens
            obstacles.append(Obstacle(gate, int(used), when))
        return Full(tuple(obstacles), at)

    def renew(self, id: str) -> None:
        self._run("renew", id=id)

    def answered(self, id: str, ago: float) -> None:
        self._run("answered", id=id, ago=ago)

    def settle(
        self, id: str, minute: Amount, total: Amount, ago: float | None = None
    ) -> Look | None:
        if ago is not None:
            self.answered(id, ago)
        self._run("settle", id=id, minute=minute.values, total=total.values)
        return None

    def look(self, scopes: Sequence[str]) -> Look:
        (version, _), now = self.rules(), self.now()
        totals = self.totals(scopes, day(now))
        return Look(version, now, self.minute(scopes), totals)

    def minute(self, scopes: Iterable[str]) -> Amount:
        return self.totals(scopes, "")

    def leaves(self, scopes: Iterable[str]) -> float | None:
        at = float(self._run("leaves", scopes=list(scopes)))
        return None if at == math.inf else at

    def totals(self, scopes: Iterable[str], period: str) -> Amount:
        return Amount(*map(int, self._run("sum", scopes=list(scopes), period=period)))

    def history(self, since: str) -> Mapping[tuple[str, str], Amount]:
        found = {}
        for row, amounts in self._run("history", since=since):
            period, _, scope = row.decode().partition("\t")
            found[scope, period] = Amount(*map(int, amounts))
        return found

    def forget(self, scopes: Sequence[str]) -> None:
        self._run("forget", scopes=list(scopes))

    def changes(self) -> int:
        return int(self._run("changes"))

    def fold(self) -> None:
        self._run("fold")

    # --- the server ---

    def close(self) -> None:
        if self._script is not None:
            self._script.registered_client.close()
            self._script = None

    def _run(self, operation: str, **arguments: Any) -> Any:
        """One operation of the script. What it answers is bytes, whole numbers or lists of them."""
        from redis.exceptions import RedisError

        time = "" if self._clock is None else repr(self._clock().wall)
        try:
            if self._script is None:
                self._script = self._connect()
            return self._script(keys=[PREFIX], args=[operation, time, json.dumps(arguments)])
        except (RedisError, OSError) as problem:
            text = " ".join(str(problem).split())
            if text.startswith("NEWER "):
                raise NewerStore(
                    f"{self.where} was written by a newer gemini_magic (version"
                    f" {text.split()[1]} of its keys, {SCHEMA} here)"
                ) from None
            raise StoreError(f"{self.where}: {text or type(problem).__name__}") from None

    def _connect(self) -> Script:
        """A client that never repeats a command by itself: it might count a request twice."""
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        try:
            client = redis.Redis.from_url(
                self._url,
                protocol=2,
                socket_timeout=_PATIENCE,
                socket_connect_timeout=_PATIENCE,
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError:  # its words may hold a piece of the password
            raise StoreError(f"{self.where}: the address is not one of a Redis server") from None
        if self._password is not None:
            client.connection_pool.connection_kwargs["password"] = self._password
        return client.register_script(_program())


@functools.cache
def _program() -> str:
    units = ", ".join(f"'{unit}'" for unit in UNITS)
    return (
        f"local MINUTE, GRACE, TOLERANCE = {MINUTE}, {GRACE}, {TOLERANCE}\n"
        f"local KEPT, TOTALS_KEPT, SCHEMA = {_KEPT}, {_TOTALS_KEPT}, {SCHEMA}\n"
        f"local UNITS, IN_MINUTE = {{ {units} }}, {len(MINUTE_UNITS)}\n"
    ) + Path(__file__).with_suffix(".lua").read_text("utf-8")


def _without_password(url: str) -> str:
    """An address for people. A password may stand anywhere before the last @, or in the query."""
    scheme, _, rest = url.partition("://")
    rest, _, query = rest.partition("?")
    place = rest.rpartition("@")[2]
    if scheme == "unix":
        return f"unix://{place}"
    try:
        parts = urlsplit(f"//{place}")
        host, port = parts.hostname or "localhost", parts.port or 6379
    except ValueError:
        host = ""
    if not host or "@" in query:
        return "the Redis server"
    database = parse_qs(query).get("db", [parts.path.strip("/") or "0"])[-1]
    return f"{scheme}://{host}:{port}/{database}"
