"""Adds a backend to the user's configuration file, and takes one out; all else stays as it is."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gemini_magic import catalog, config_backends, paths
from gemini_magic.config_files import MAX_SIZE, Document, user_document
from gemini_magic.config_schema import Mismatch
from gemini_magic.errors import ConfigError, UsageError

#: A line that begins a table, and the names in it.
_HEADER = re.compile(r"[ \t]*\[\[?(?P<name>[^\[\]]+)\]\]?[ \t]*(?:#.*)?\Z")
_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")
_ESCAPES = {"\\": "\\\\", '"': '\\"'}


def add_backend(name: str, row: Mapping[str, Any]) -> None:
    """Write a table ``[backends.<name>]`` at the end of the user's file.

    ``row`` holds texts, and tables of texts. Raises ``ConfigError`` where the file, or what would
    be written, cannot be used; nothing is written then.
    """
    check_backend(name, row)
    with paths.locked(paths.config_file()):
        before = _content()
        text = before.decode("utf-8")
        if text and not text.endswith("\n"):
            text += "\n"
        text += "\n" * bool(text)
        text += f"[backends.{_key(name)}]\n"
        text += "".join(f"{key} = {_value(value)}\n" for key, value in row.items())
        expected = _read(before)
        expected.setdefault("backends", {})[name] = dict(row)
        _replace(text, expected)


def defined_in_user_file(name: str) -> bool:
    """Whether the user's own file defines this backend. Raises ``ConfigError``."""
    document = user_document()
    return document is not None and name in document.raw.get("backends", {})


def remove_backend(name: str) -> None:
    """Take the table ``[backends.<name>]``, and those below it, out of the user's file.

    Raises ``UsageError`` where it is written in another way, or still named by a route, and
    ``ConfigError``; nothing is written then.
    """
    with paths.locked(paths.config_file()):
        before = _content()
        expected = _read(before)
        Document(paths.config_file(), before, expected, ()).checked(expected)
        if expected.get("backends", {}).pop(name, None) is None:
            raise UsageError(f"your configuration defines no backend {name}.")
        if not expected["backends"]:
            del expected["backends"]
        _refuse_named(expected, name)
        text = _without(before.decode("utf-8"), name)
        try:
            found = _read(text.encode("utf-8"))
        except ConfigError:
            found = {}
        if found.get("backends") == {}:
            del found["backends"]
        if found != expected:
            raise UsageError(
                f"the backend {name} is not a table of its own in {paths.config_file()}.",
                "Take it out there by hand.",
            )
        _replace(text, expected)


def _refuse_named(raw: Mapping[str, Any], name: str) -> None:
    """Raise ``UsageError`` where a route would lead nowhere without the backend."""
    if name in config_backends.BUILT_IN or name in catalog.presets():
        return
    routes = raw.get("routes", {})
    chosen = raw.get("settings", {}).get("route")
    lists = [row.get("targets", ()) for row in routes.values()]
    for targets in [*lists, *([[chosen]] if chosen not in routes else [])]:
        named = [one.get("backend") if isinstance(one, dict) else one for one in targets]
        if name in named:
            raise UsageError(
                f"a route of your configuration leads to {name}; nothing was written.",
                f"Take it out of the routes in {paths.config_file()} first.",
            )


def check_backend(name: str, row: Mapping[str, Any]) -> None:
    """Raise ``ConfigError`` unless this makes a backend."""
    try:
        document = Document(paths.config_file(), b"", {"backends": {name: dict(row)}}, ())
        checked = document.checked(document.raw)["backends"][name]
        config_backends.make(name, checked, "", os.environ, allow_http=True)
    except Mismatch as mismatch:
        where = ".".join(mismatch.path) or f"the backend {name}"
        raise ConfigError(f"{where} should be {mismatch.expected}{mismatch.got}.") from None


def _content() -> bytes:
    path = paths.config_file()
    try:
        if path.stat().st_size > MAX_SIZE:
            raise ConfigError(f"{path} is too large for a configuration file.")
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as problem:
        raise ConfigError(f"{path} cannot be read: {problem.strerror}.") from problem


def _read(content: bytes) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise ConfigError(
            f"{paths.config_file()} is not TOML; nothing was written.", "%gemini backends says why"
        ) from None


def _replace(text: str, expected: dict[str, Any]) -> None:
    """Put the new text in the place of the old one, once it is sure that it says what it should."""
    if _read(text.encode("utf-8")) != expected:
        raise ConfigError(f"{paths.config_file()} cannot be changed here.", "Edit it by hand.")
    path = Path(os.path.realpath(paths.config_file()))  # it may be a link into somebody's dotfiles
    try:
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
        paths.replace(path, text.encode("utf-8"))
        path.chmod(mode)
    except OSError as problem:
        raise ConfigError(f"{path} cannot be written: {problem.strerror}.") from problem


def _without(text: str, name: str) -> str:
    """The text without the tables of a backend; comments above the next table stay."""
    kept: list[str] = []
    dropped: list[str] = []
    inside = False
    for line in text.splitlines(keepends=True):
        header = _HEADER.match(line.rstrip("\r\n"))
        if header is not None:
            own = _names(header["name"])[:2] == ("backends", name)
            if inside and not own:
                kept += _about_the_next(dropped)
            inside = own
            dropped = []
        (dropped if inside else kept).append(line)
    return "".join(kept).rstrip("\n") + "\n" if kept else ""


def _about_the_next(lines: list[str]) -> list[str]:
    """The comments at the end of a table, if a blank line parts them from it."""
    count = 0
    while count < len(lines) and lines[-1 - count].lstrip().startswith("#"):
        count += 1
    parted = count and count < len(lines) and not lines[-1 - count].strip()
    return lines[len(lines) - count :] if parted else []


def _names(dotted: str) -> tuple[str, ...]:
    found = re.findall(r""""([^"]*)"|'([^']*)'|([\w-]+)""", dotted)
    return tuple(next(filter(None, names), "") for names in found)


def _key(name: str) -> str:
    return name if _BARE.match(name) else _value(name)


def _value(value: Any) -> str:
    """A text, or a table of texts, as TOML writes it in one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items()) + " }"
    text = str(value)
    escaped = "".join(
        _ESCAPES.get(char) or (char if char.isprintable() else f"\\U{ord(char):08X}")
        for char in text
    )
    return f'"{escaped}"'
