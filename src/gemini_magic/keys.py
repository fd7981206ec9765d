"""Finds and keeps the keys of services, and keeps them out of sight.

A key comes from the environment, a ``.env`` file, the OS keyring or, where there is none, a file
of mode 0600 after consent. Configuration names where a key is, never the key.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from gemini_magic import env_files, paths
from gemini_magic.errors import ConfigError

if TYPE_CHECKING:
    from gemini_magic.config import Backend

#: What stands for a key wherever text is shown.
SHOWN = "<key>"

#: The service under which the keyring holds our keys; the user name there is the backend's.
SERVICE = "gemini_magic"

#: Where a key can be, in the order in which it is looked for.
PLACES = ("environment", ".env", "keyring", "file")


class Secret:
    """A key that shows itself to nobody who does not ask with ``reveal``."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The key itself: for a request's header, and nothing else."""
        return self._value

    def __repr__(self) -> str:
        return SHOWN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return SHOWN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not pickled")


class Key(NamedTuple):
    """A key and, for people, where it was found."""

    secret: Secret
    where: str


def find(
    backend: Backend,
    *,
    environ: Mapping[str, str] | None = None,
    env_file: Path | None = None,
) -> Key | None:
    """The key of a backend, or None: the environment, ``env_file``, the keyring, the keys file.

    The keyring is asked only for keys that ``store`` put there: it can be slow, and can prompt.
    Raises ConfigError for a key or a file that cannot be used.
    """
    if (named := _named(backend, environ, env_file)) is not None:
        _, value, where = named
        return Key(clean(value, where), where)
    row = _load().get(backend.name)
    if row is None:
        return None
    value, where = _stored(backend.name, row)
    return Key(clean(value, where), where)


def place(
    backend: Backend,
    *,
    environ: Mapping[str, str] | None = None,
    env_file: Path | None = None,
) -> str | None:
    """Where ``find`` looks for the key of a backend (of ``PLACES``); None if there is none.

    No keyring is asked: what was put there counts as being there. Raises ConfigError for a file
    that cannot be used.
    """
    if (named := _named(backend, environ, env_file)) is not None:
        return named[0]
    row = _load().get(backend.name)
    if row is None:
        return None
    return "keyring" if row.get("in") == "keyring" else "file"


def _named(
    backend: Backend, environ: Mapping[str, str] | None, env_file: Path | None
) -> tuple[str, str, str] | None:
    """What a variable of the backend's holds: which of ``PLACES``, the value, words for people."""
    environ = os.environ if environ is None else environ
    for name in backend.key_env:
        if environ.get(name, "").strip():
            return "environment", environ[name], name
    if env_file is not None and backend.key_env:
        found = env_files.read(env_file, backend.key_env)
        for name in backend.key_env:
            if found.get(name, "").strip():
                return ".env", found[name], f"{name} in {env_file}"
    return None


def clean(value: str, where: str) -> Secret:
    """A key as typed or pasted, without the blanks around it.

    Raises ConfigError, which does not show it, for what no service's key can be.
    """
    stripped = value.strip()
    if not stripped:
        raise ConfigError(f"the key from {where} is empty.")
    if not stripped.isascii() or not stripped.isprintable() or " " in stripped:
        raise ConfigError(
            f"the key from {where} holds a blank, a line break or a letter that no key has.",
            "copy it again, whole and alone",
        )
    return Secret(stripped)


# --- what the user stored -----------------------------------------------------------------------


def store(name: str, secret: str | Secret, *, consent: Callable[[str], bool], by: str = "") -> str:
    """Keep the key of backend ``name``; where it is now, for people.

    ``by`` says who keeps it, for ``forget``.
    It goes into the OS keyring; where there is none, ``consent`` is asked whether a file will do.
    Raises ConfigError if the key is none or the user declined.
    """
    value = secret.reveal() if isinstance(secret, Secret) else secret
    value = clean(value, "the prompt").reveal()
    by_whom = {"by": by} if by else {}
    if _into_keyring(name, value):
        _update(name, {"in": "keyring", **by_whom})
        return f"keyring {SERVICE}/{name}"
    question = (
        f"No OS keyring can be used here. Keep the key in a file that only you can read, {_file()}?"
    )
    if not consent(question):
        raise ConfigError("the key was not stored.", "set it in the environment instead")
    _update(name, {"key": value, **by_whom})
    return str(_file())


def forget(name: str, by: str | None = None) -> bool:
    """Remove the stored key of backend ``name``, only if ``by`` keeps it; whether there was one."""
    row = _load().get(name)
    if row is None or by not in (None, row.get("by", "")):
        return False
    if row.get("in") == "keyring" and (ring := _keyring()) is not None:
        try:
            ring.delete_password(SERVICE, name)
        except Exception as problem:  # each keyring has errors of its own
            raise _keyring_failed(name, problem) from None
    _update(name, None)
    return True


def _file() -> Path:
    return paths.data_dir() / "keys.json"


def _load() -> dict[str, dict[str, str]]:
    """The stored keys, or where they are, by backend. Raises ConfigError for an open file."""
    path = _file()
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            content = file.read()
    except FileNotFoundError:
        return {}
    except OSError as problem:
        raise ConfigError(f"{path} cannot be read: {problem.strerror}.") from problem
    if os.name == "posix":
        if status.st_mode & paths.OTHERS:
            raise ConfigError(
                f"others can read your keys in {path}.",
                f"run: chmod 600 '{path}' (and think of new keys)",
            )
        if status.st_uid != os.geteuid():
            raise ConfigError(f"{path} belongs to another user, so no key is taken from it.")
    try:
        known = json.loads(content)
        return {name: dict(row) for name, row in known.items()}
    except (ValueError, AttributeError, TypeError):
        raise ConfigError(f"{path} is damaged.", "delete it and store your keys again") from None


def _stored(name: str, row: Mapping[str, str]) -> tuple[str, str]:
    """A stored key and where it is."""
    if row.get("in") != "keyring":
        return row.get("key", ""), str(_file())
    ring = _keyring()
    try:
        value = ring.get_password(SERVICE, name) if ring else None
    except Exception as problem:  # each keyring has errors of its own
        raise _keyring_failed(name, problem) from None
    if value is None:
        raise ConfigError(
            f"the key of {name} is no longer in the OS keyring.",
            f"store it again with: %gemini key {name}",
        )
    return value, f"keyring {SERVICE}/{name}"


def _update(name: str, row: dict[str, str] | None) -> None:
    with paths.locked(_file()):
        known = _load()
        if row is None:
            known.pop(name, None)
        else:
            known[name] = row
        paths.write_private(_file(), json.dumps(known, indent=1, sort_keys=True).encode())


def _keyring() -> Any:
    """The OS keyring, or None: no package, or nothing that keeps a secret without asking.

    A priority below 1 is none of the system's: no keyring, a plain file, or one that prompts.
    Source: keyring 25, ``KeyringBackend.priority``.
    """
    try:
        import keyring

        ring = keyring.get_keyring()
        return ring if float(getattr(ring, "priority", 0)) >= 1 else None
    except Exception:  # a broken keyring is none
        return None


def _into_keyring(name: str, value: str) -> bool:
    ring = _keyring()
    if ring is None:
        return False
    try:
        ring.set_password(SERVICE, name, value)
        return bool(ring.get_password(SERVICE, name) == value)
    except Exception:  # locked, or no daemon: a file may do
        return False


def _keyring_failed(name: str, problem: Exception) -> ConfigError:
    return ConfigError(
        f"the OS keyring did not give the key of {name} ({type(problem).__name__}).",
        "unlock the keyring, or set the key in the environment",
    )


def redact(text: str, secrets: Iterable[Secret | str]) -> str:
    """``text`` with ``<key>`` in place of each of these keys."""
    values = {s.reveal() if isinstance(s, Secret) else s for s in secrets} - {""}
    longest_first = sorted(values, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), SHOWN, text) if values else text
