"""What a configuration may say: a check for every key, and who may use it.

A check takes a value as TOML gives it and returns the value to keep; it raises ``Mismatch`` where
the value is none of its kind. Tables of checks are checks themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Check: TypeAlias = Callable[[Any], Any]

_UNSHOWN = object()


class Mismatch(Exception):
    """A value is not what its key takes.

    ``path`` leads to it, outermost key first. ``value`` is given only where it can be no secret.
    ``known`` are the keys to choose from where the last key of ``path`` is not one of them.
    """

    def __init__(
        self, expected: str, value: Any = _UNSHOWN, *, known: tuple[str, ...] = ()
    ) -> None:
        super().__init__(expected)
        self.expected = expected
        self.got = "" if value is _UNSHOWN else f", not {_short(value)}"
        self.known = known
        self.path: tuple[str, ...] = ()


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # a whole number of more than 4300 digits
        return "that"
    return text if len(text) <= 40 else f"{text[:37]}..."


def _at(key: str, check: Check, value: Any) -> Any:
    try:
        return check(value)
    except Mismatch as mismatch:
        mismatch.path = (key, *mismatch.path)
        raise


# --- checks that make checks ------------------------------------------------------------------


def table(fields: Mapping[str, Check]) -> Check:
    """A table with these keys, none of them required."""

    def check(value: Any) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for key, item in _mapping(value).items():
            if key not in fields:
                unknown = Mismatch("", known=tuple(fields))
                unknown.path = (key,)
                raise unknown
            kept[key] = _at(key, fields[key], item)
        return kept

    return check


def table_of(item: Check) -> Check:
    """A table with keys of the user's own."""
    return lambda value: {key: _at(key, item, sub) for key, sub in _mapping(value).items()}


def one_of(*words: str) -> Check:
    def check(value: Any) -> str:
        if value in words and isinstance(value, str):
            return value
        raise Mismatch(f"one of {', '.join(words)}", value)

    return check


def number(expected: str, low: float, high: float = float("inf"), whole: bool = False) -> Check:
    """A number from ``low`` to ``high``, both included."""
    kinds = int if whole else (int, float)

    def check(value: Any) -> float:
        good = isinstance(value, kinds) and not isinstance(value, bool) and low <= value <= high
        if not good:
            raise Mismatch(expected, value)
        result: float = value
        return result

    return check


def matching(expected: str, pattern: str) -> Check:
    """A text that matches ``pattern`` from end to end."""

    def check(value: Any) -> str:
        if isinstance(value, str) and re.fullmatch(pattern, value):
            return value
        raise Mismatch(expected)

    return check


# --- single values ----------------------------------------------------------------------------


def _mapping(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise Mismatch("a table")


def text(value: Any) -> str:
    if isinstance(value, str) and value.strip() and value.isprintable():
        return value.strip()
    raise Mismatch("a text in one line")


def flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise Mismatch("true or false", value)


def variables(value: Any) -> tuple[str, ...]:
    """Names of environment variables; a key pasted in their place is refused unseen."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple):
        raise Mismatch("a list of names of environment variables")
    for name in names:
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", name):
            raise Mismatch("a list of names of environment variables")
        if re.match(r"AIza|AQ\.|sk[-_]|gsk_", name):
            raise Mismatch("the name of the variable that holds the key, never the key itself")
    return tuple(names)


def variable(value: Any) -> str:
    if not isinstance(value, str):
        raise Mismatch("the name of an environment variable")
    return variables(value)[0]


def base_url(value: Any) -> str:
    """An address whose path, host and scheme are all that it has: no password, no query."""
    from urllib.parse import urlsplit

    expected = "an address such as https://host/v1"
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        raise Mismatch(expected)
    try:
        url = urlsplit(value)
        sound = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        sound = False
    if not sound or re.search(r"[\s\\]", value):
        raise Mismatch(expected)
    if url.username is not None or url.password is not None or url.query or url.fragment:
        raise Mismatch(f"{expected}, without user, password, ? or #")
    return value


def strings(value: Any) -> tuple[str, ...]:
    many = (value,) if isinstance(value, str) else value
    if isinstance(many, list | tuple) and all(isinstance(one, str) and one for one in many):
        return tuple(many)
    raise Mismatch("a text or a list of texts")


def words_of(*known: str) -> Check:
    def check(value: Any) -> tuple[str, ...]:
        words = strings(value)
        if set(words) <= set(known):
            return words
        raise Mismatch(f"a list of {', '.join(known)}", value)

    return check


def thinking(value: Any) -> str | int:
    levels = ("off", "low", "medium", "high")
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and value in levels:
        return value
    raise Mismatch(f"{', '.join(levels)} or a number of tokens", value)


def store(value: Any) -> str:
    if value == "sqlite":
        return "sqlite"
    if isinstance(value, str) and re.fullmatch(r"rediss?://[^\s@/?#]+(/\d+)?", value):
        return value
    raise Mismatch('"sqlite" or "redis://host:6379/0"; a password goes into store_password_env')


def target(value: Any) -> tuple[str, tuple[str, ...]]:
    """A step of a route: a backend, and on which failures of the step before it answers."""
    row = {"backend": value} if isinstance(value, str) else value
    kept = table({"backend": text, "when": _whens})(row)
    if "backend" not in kept:
        raise Mismatch('the name of a backend, or { backend = "...", when = [...] }')
    return kept["backend"], kept.get("when", ())


def _whens(value: Any) -> tuple[str, ...]:
    check = one_of(*WHEN)
    return tuple(check(one) for one in strings(value))


def targets(value: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if isinstance(value, list | tuple) and value:
        return tuple(target(one) for one in value)
    raise Mismatch("a list of backends, at least one")


# --- the tables -------------------------------------------------------------------------------

#: Why a route goes on to its next step.
WHEN = (
    "rpm", "tpm", "rpd", "limit0", "budget", "overloaded", "unreachable", "key", "model",
)  # fmt: skip

_SECONDS = number("a number of seconds above 0", 0.001, 86400.0)
_WAIT = number("a number of seconds", 0.0, 86400.0)
_COUNT = number("a whole number", 0, whole=True)
_MONEY = matching('an amount such as "0.30 USD"', r"\d+(\.\d+)? ?[A-Z]{3}")
_PLACE = matching("a name of Google Cloud's, such as europe-west4", r"[a-z0-9-]{1,63}")

SETTINGS: Mapping[str, Check] = {
    "route": text,
    "model": text,
    "timeout": _SECONDS,
    "max_wait": _WAIT,
    "retries": number("a whole number from 0 to 10", 0, 10, whole=True),
    "warm_up": flag,
    "magic_name": matching("a name for the magic", r"[A-Za-z_]\w*"),
    "run_log": flag,
    "cache": table(
        {
            "size": matching('a size such as "1 GB"', r"\d+(\.\d+)? ?(kB|KB|MB|GB)"),
            "days": number("a number of days", 0),
        }
    ),
}

#: The names of ``types.Settings``.
GENERATION: Mapping[str, Check] = {
    "temperature": number("a number from 0 to 2", 0, 2),
    "top_p": number("a number from 0 to 1", 0, 1),
    "top_k": number("a whole number above 0", 1, whole=True),
    "max_output_tokens": number("a whole number above 0", 1, whole=True),
    "stop": strings,
    "seed": number("a whole number", -(2**31), 2**31 - 1, whole=True),
    "presence_penalty": number("a number from -2 to 2", -2, 2),
    "frequency_penalty": number("a number from -2 to 2", -2, 2),
    "thinking": thinking,
    "safety": one_of("off", "none", "few", "some", "most"),
    "media_resolution": one_of("low", "medium", "high"),
    "modalities": words_of("text", "image", "audio"),
    "size": text,
    "aspect": text,
    "quality": one_of("low", "medium", "high"),
    "count": number("a whole number from 1 to 10", 1, 10, whole=True),
    "voice": text,
}

BACKEND: Mapping[str, Check] = {
    "preset": text,
    "kind": one_of("google", "openai", "local"),
    "base_url": base_url,
    "key_env": variables,
    "project": text,
    "tier": one_of("free", "tier1", "tier2", "tier3"),
    "api_version": matching("a version such as v1beta", r"v\d+(alpha|beta)?\d*"),
    "vertex": table({"project": text, "location": _PLACE}),
    "models": table_of(text),
    "model": text,
    "idle_minutes": number("a number of minutes above 0", 0.01),
    "budget": table({"day": _MONEY, "month": _MONEY, "zone": text}),
}

TABLES: Mapping[str, Check] = {
    "settings": table(SETTINGS),
    "generation": table(GENERATION),
    "ledger": table(
        {
            "store": store,
            "store_password_env": variable,
            "on_ledger_error": one_of("warn", "stop"),
            "failures_count": flag,
        }
    ),
    "backends": table_of(table(BACKEND)),
    "routes": table_of(table({"targets": targets})),
    "limits": table_of(table_of(table(dict.fromkeys(("rpm", "tpm", "rpd", "tpd", "ipm"), _COUNT)))),
    "prices": table_of(table_of(table(dict.fromkeys(("input", "output", "cached"), _MONEY)))),
}

#: The tables, and the keys in them, that a project file may hold before the user accepts it.
PROJECT: Mapping[str, tuple[str, ...]] = {
    "settings": ("route", "model", "timeout", "max_wait"),
    "generation": tuple(GENERATION),
}
