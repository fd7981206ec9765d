"""Code of AI Studio's as turns: Python, JavaScript, shell, and the apps of Build mode."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator, Mapping, Set
from pathlib import PurePosixPath

from gemini_magic.convert.javascript_tokens import Unreadable
from gemini_magic.convert.secrets import keys_in
from gemini_magic.convert.steps import Note
from gemini_magic.convert.studio import javascript_calls, python_calls, shell_calls
from gemini_magic.convert.studio.bodies import Call, turns_of
from gemini_magic.convert.studio.documents import NotAPrompt
from gemini_magic.convert.studio.pieces import Found, Missing, Slot, Turn
from gemini_magic.convert.studio.redacted import key_note, text_without_keys

_SCRIPTS = (".ts", ".tsx", ".js", ".jsx", ".mjs", ".html")


def found_in(
    source: str, title: str, origin: str, key_names: Set[str], notes: dict[Note, None]
) -> Found | None:
    """The calls of a program; None for one that does not ask Gemini, or no program at all."""
    language, calls = _read(source)
    if not language:
        return None
    clean = _checked(source, key_names, notes)
    if clean != source:
        _, calls = _read(clean)
    if not calls:
        raise NotAPrompt(
            f"{title} asks Gemini in no way that is known here; nothing was written.",
            "Calls that are known: generate_content, chats and their streams.",
        )
    turns = turns_and_notes(calls, notes)
    return Found(title, f"the {language} code {origin!r}", tuple(turns), ())


def found_in_app(
    files: Mapping[str, bytes],
    title: str,
    origin: str,
    key_names: Set[str],
    notes: dict[Note, None],
) -> Found:
    """The calls of an app. Raises ``NotAPrompt`` where there are none."""
    turns: list[Turn] = []
    for name in sorted(files):
        source = files[name].decode("utf-8", "replace")
        if PurePosixPath(name).name.startswith(".env"):
            for key in keys_in(source, key_names):
                notes.setdefault(_where(key_note(key.name), name))
            continue
        if "JSON.stringify(env." in source and "vite.config" in name:
            notes.setdefault(Note("", "key", f"{name} puts the key into the app's pages, where "
                             "whoever opens them can read it"))  # fmt: skip
        if PurePosixPath(name).suffix not in (*_SCRIPTS, ".py"):
            continue
        found: dict[Note, None] = {}
        source = _checked(source, key_names, found)
        for note in found:
            notes.setdefault(_where(note, name))
        try:
            calls = _read_app_file(name, source)
        except Unreadable as problem:
            notes.setdefault(Note("", "broken", f"{name} cannot be read: {problem}"))
            continue
        made = turns_and_notes(calls, notes)
        if made:
            made[0] = made[0]._replace(above=f"{name}:")
        turns += [one._replace(chat=one.chat and f"{one.chat}_{len(turns)}") for one in made]
    if not turns:
        raise NotAPrompt(
            f"no file of the app {title} asks Gemini; nothing was written.",
            "Apps that do hold a call such as ai.models.generateContent({...}).",
        )
    return Found(title, f"the app {origin!r}", tuple(turns), ())


def _where(note: Note, name: str) -> Note:
    return note._replace(text=f"{name}: {note.text}")


def _checked(source: str, key_names: Set[str], notes: dict[Note, None]) -> str:
    """The source without keys; each is told with its line."""
    for key in keys_in(source, key_names):
        notes.setdefault(key_note(key.name, key.line))
    return text_without_keys(source, key_names, {})


def _read(source: str) -> tuple[str, list[Call]]:
    """The language of a program that asks Gemini, and its calls; "" for any other text."""
    if (tree := parsed(source)) is not None and python_calls.is_ours(tree):
        return "Python", list(python_calls.settled_calls(tree, source))
    try:
        if shell_calls.is_ours(source) and not javascript_calls.is_ours(source):
            return "shell", list(shell_calls.calls(source))
        if javascript_calls.is_ours(source):
            if javascript_calls.live(source):
                raise Unreadable("it talks live (live.connect), which no cell does")
            return "JavaScript", list(javascript_calls.calls(source))
    except Unreadable as problem:
        raise NotAPrompt(f"it cannot be read: {problem}; nothing was written.") from None
    return "", []


def _read_app_file(name: str, source: str) -> list[Call]:
    if name.endswith(".py"):
        tree = parsed(source)
        if tree is None or not python_calls.is_ours(tree):
            return []
        return list(python_calls.settled_calls(tree, source))
    return list(javascript_calls.calls(source))


def parsed(source: str) -> ast.Module | None:
    """The syntax tree of Python code; None for what is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source.removeprefix("\ufeff"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def turns_and_notes(calls: Iterable[Call], notes: dict[Note, None]) -> list[Turn]:
    """The turns of calls; ``notes`` takes what should be known of them."""
    turns = [turn for call in _once(calls) for turn in turns_of(call, notes)]
    counts: dict[str, int] = {}
    for turn in turns:
        counts[turn.chat] = counts.get(turn.chat, 0) + 1
        for piece in turn.pieces:
            if isinstance(piece, Missing):
                text = f"the {piece.what} {piece.id[:80]} ({piece.where}) is not here"
                notes.setdefault(Note("", "missing", text))
            elif isinstance(piece, Slot):
                notes.setdefault(Note("", "input", f"the variable {piece.name} is to be filled in"))
    return [turn if counts[turn.chat] > 1 else turn._replace(chat="") for turn in turns]


def _once(calls: Iterable[Call]) -> Iterator[Call]:
    """The calls; what a chat began with stands with its first call only."""
    begun: set[str] = set()
    for call in calls:
        yield call._replace(history=None) if call.chat in begun else call
        if call.chat:
            begun.add(call.chat)
