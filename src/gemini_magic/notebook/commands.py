"""The commands of ``%gemini``: each a small function of the session and of the words after it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gemini_magic.cell import help_text
from gemini_magic.engine import checks
from gemini_magic.errors import GeminiMagicError, UsageError
from gemini_magic.notebook.tables import show_table

if TYPE_CHECKING:
    from gemini_magic.notebook.session import Session
    from gemini_magic.quota.usage import DayUse


@dataclass(frozen=True, slots=True)
class Command:
    """A command: what it does, how it is written, and one line of help.

    ``quoted``: its words may be quoted as for a shell, and it tells its options itself.
    """

    do: Callable[[Session, list[str]], Any]
    usage: str
    help: str
    quoted: bool = False


def run(session: Session, word: str, rest: str) -> Any:
    """Do what ``%gemini word rest`` says; ``UsageError`` if the words are off."""
    command = COMMANDS.get(word)
    if command is None:
        raise UsageError(
            f"the command {word!r} is reserved for a later version.",
            f"To send it as a prompt: %{session.magic.name} -- {word} {rest}".strip(),
        )
    words = rest.split()
    if words in (["--help"], ["-h"]) and not command.quoted:
        return _help(session, [word])
    try:
        return command.do(session, _unquoted(rest) if command.quoted else words)
    except UsageError as error:
        prompt = f"%{session.magic.name} -- {word} {rest}".strip()
        if f"-- {word} ..." in error.next_step:
            error.next_step = error.next_step.replace(f"-- {word} ...", f"-- {word} {rest}")
        elif len(words) > 1 and not command.quoted:  # it may have been one
            error.next_step = f"{error.next_step} To send it as a prompt: {prompt}".strip()
        raise


def _unquoted(text: str) -> list[str]:
    """The words of a command line; a backslash is a part of a path on Windows."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="")
    lexer.whitespace_split, lexer.commenters = True, ""
    lexer.escape = "" if os.name == "nt" else "\\"
    try:
        return list(lexer)
    except ValueError:
        raise UsageError("a quotation mark is not closed.") from None


def whole_help(name: str = "gemini") -> str:
    """What ``--help``, ``%gemini help`` and ``?`` show: the options and the commands."""
    lines = [help_text(name), "", f"Commands (%{name} help COMMAND tells more):"]
    lines += [f"  %{name} {command.usage:<30} {command.help}" for command in COMMANDS.values()]
    return "\n".join(lines)


def _misuse(session: Session, word: str) -> UsageError:
    name = session.magic.name
    return UsageError(
        f"usage: %{name} {COMMANDS[word].usage}",
        f"To send it as a prompt, write: %{name} -- {word} ...",
    )


def _models(session: Session, words: list[str]) -> None:
    config = session.refresh()
    pattern = " ".join(words).lower()
    one = pattern if pattern in (*config.backends, *config.presets) else None
    names = [one] if one else list(config.backends)
    rows: list[tuple[str, str, str, str]] = []
    notes: list[str] = []
    for name, models in zip(names, checks.list_all_models(session.engine, names), strict=True):
        if isinstance(models, GeminiMagicError):
            what = models.what
            if config.backend(name).kind != "google":
                notes.append(f"{name}: {what}")
                continue
            notes.append(f"{name} could not be asked ({what}): as known in the catalogue")
            models = checks.known_models()
        rows += [
            (name, model.name, f"{model.input_limit:,}" if model.input_limit else "", model.label)
            for model in models
            if one or pattern in model.name.lower()
        ]
    show_table(session.shell, ("backend", "model", "input tokens", ""), rows)
    print("\n".join(notes) or f"Ask one: %%{session.magic.name} -m MODEL")


def _use(session: Session, words: list[str]) -> None:
    if len(words) != 1:
        raise _misuse(session, "use")
    print(f"From now on, cells ask {session.use(words[0])}.")


def _backends(session: Session, words: list[str]) -> None:
    config = session.refresh()
    found = checks.survey(session.engine, list(config.backends))
    rows = []
    for one in found:
        service = one.service
        state = {True: "yes", False: f"no: {one.problem}", None: "not tried"}[one.reachable]
        needs_none = not service.key_required
        key = one.key_from or ("none needed" if needs_none else "missing")
        where = service.base_url or "this machine"
        rows.append((service.name, service.kind, where, key, state, service.defined_in))
    show_table(session.shell, ("backend", "kind", "where", "key", "reachable", "defined in"), rows)
    others = [
        f"{name} (key in {where})"
        for name, service in config.presets.items()
        if service.key_env and (where := session.key_source(service))
    ]
    if others:
        print(
            f"Also possible, and used only when you name it: {', '.join(others)}. "
            f"For example: %{session.magic.name} use {others[0].split()[0]}"
        )
    chosen = [
        f"{name} from {config.sources[name]}"
        for name in ("route", "model")
        if config.sources.get(name, "built in") != "built in"
    ]
    print("\n".join([*([f"Chosen: {', '.join(chosen)}"] if chosen else []), *config.notices]))


def _doctor(session: Session, words: list[str]) -> None:
    config = session.refresh()
    send = "--send" in words
    names = [word for word in words if word != "--send"] or list(config.backends)
    for name in names:
        service = config.backend(name)
        print(f"{name} ({service.kind}, {service.base_url or 'this machine'})")
        for finding in checks.examine(session.engine, name, send=send):
            print(f"  {'✓' if finding.good else '✗'} {finding.what}")
            if finding.next_step:
                print(f"      → {finding.next_step}")


def _chat(session: Session, words: list[str]) -> None:
    if not words:
        rows = [
            (chat.name, len(chat.turns), sum(turn.stale for turn in chat.turns))
            for chat in session.chats
        ]
        show_table(session.shell, ("chat", "turns", "stale"), rows)
        return
    if len(words) != 2 or words[0] not in ("show", "undo", "reset", "load"):
        raise _misuse(session, "chat")
    action, name = words
    if action == "load":
        from gemini_magic.notebook import chat_command

        chat_command.load(session.chats, Path(name))
        return
    chat = session.chats.find(name)
    if action == "show":
        from gemini_magic.notebook import chat_command

        chat_command.show(session.shell, chat)
    elif action == "undo":
        chat.undo()
        print(f"chat {name}: the last change is undone; {len(chat.turns)} turns are left.")
    else:
        session.chats.forget(name)
        print(f"chat {name} starts anew with its next cell.")


def _last(session: Session, words: list[str]) -> Any:
    if session.last is None:
        raise UsageError("nothing was asked yet.", f"For example: %{session.magic.name} Hello!")
    return session.last


def _local(session: Session, words: list[str]) -> None:
    from gemini_magic.notebook import local_command

    if words[:1] == ["install"] and len(words) <= 2:
        local_command.install(session.shell, words[1] if words[1:] else None)
    elif words == ["stop"]:
        local_command.stop()
    elif not words:
        local_command.status(session.shell)
    else:
        raise _misuse(session, "local")


def _key(session: Session, words: list[str]) -> None:
    from gemini_magic.notebook import key_command

    if len(words) > 1:
        raise _misuse(session, "key")
    key_command.ask(session.refresh(), words[0] if words else "studio")


def _quota(session: Session, words: list[str]) -> None:
    from gemini_magic.notebook import quota_command

    quota_command.run(session, words)


def _limits(session: Session, words: list[str]) -> None:
    from gemini_magic.notebook import limits_command

    limits_command.show(session.shell, words, session.magic.name)


def _usage(session: Session, words: list[str]) -> Any:
    from gemini_magic.notebook import quota_command, usage_command

    def days(count: int) -> Sequence[DayUse]:
        return quota_command.history(session, count)

    return usage_command.run(session.shell, days, words, session.magic.name)


def _advise(session: Session, words: list[str]) -> None:
    from gemini_magic.notebook import advise_command, quota_command

    days = quota_command.history(session, advise_command.DAYS)
    advise_command.run(session.shell, days, session.refresh(), words, session.magic.name)


def _cache(session: Session, words: list[str]) -> None:
    from gemini_magic.notebook import cache_command

    cache_command.run(session.shell, session.cache, words, session.magic.name)


def _gallery(session: Session, words: list[str]) -> None:
    from gemini_magic.notebook import gallery_command
    from gemini_magic.notebook.saving import FOLDER

    gallery_command.run(
        session.shell,
        session.gallery(),
        words,
        session.magic.name,
        folder=Path(FOLDER),
        widgets=bool(session.running_cell()[0]),
    )


def _export(session: Session, words: list[str]) -> None:
    from gemini_magic.notebook import export_command

    export_command.run(session.shell, words, session.magic.name)


def _import(session: Session, words: list[str]) -> None:
    from gemini_magic.notebook import import_command

    import_command.run(session.refresh(), words, session.magic.name)


def _migrate(session: Session, words: list[str]) -> None:
    from gemini_magic.notebook import migrate_command

    migrate_command.run(session.shell, session.refresh(), words, session.magic.name)


def _code(session: Session, words: list[str]) -> None:
    from gemini_magic.notebook import code_command

    code_command.run(session, words)


def _panel(session: Session, words: list[str]) -> Any:
    from gemini_magic.notebook import panel_command

    return panel_command.run(session, words)


def _trust(session: Session, words: list[str]) -> None:
    from gemini_magic import trust
    from gemini_magic.config import project_backends
    from gemini_magic.config_files import printable

    config = session.refresh()
    if config.project_file is None or config.project_content is None:
        raise UsageError("there is no project file here (gemini_magic.toml or pyproject.toml).")
    if not config.ignored:
        print(f"{config.project_file}: nothing in it is ignored.")
        return
    shown = set()
    for service in project_backends(config):
        name = f"backends.{printable(service.name)}"
        shown.add(name)
        if service.kind == "local":
            print(f"{name}: this machine, weights {service.model}")
        else:
            sources = (*service.key_env, f"%{session.magic.name} key")
            print(f"{name}: {service.base_url}, key from {' or '.join(sources)}")
    if others := [name for name in config.ignored if name not in shown]:
        print(f"also: {', '.join(others)}")
    digest = trust.trust(config.project_file, config.project_content)
    print(
        f"accepted {config.project_file} (SHA-256 {digest[:12]}…): all this counts now.\n"
        "A change of the file takes that back."
    )


def _version(session: Session, words: list[str]) -> None:
    from importlib.metadata import PackageNotFoundError, version
    from platform import python_version

    for package in ("gemini-magic", "google-genai", "openai", "xllamacpp", "ipython", "ipykernel"):
        try:
            print(f"{package} {version(package)}")
        except PackageNotFoundError:
            print(f"{package} is not installed")
    print(f"Python {python_version()}")


def _help(session: Session, words: list[str]) -> None:
    name = session.magic.name
    if words and words[0] in COMMANDS:
        command = COMMANDS[words[0]]
        print(f"%{name} {command.usage}\n    {command.help}")
        return
    if words:
        raise _misuse(session, "help")
    print(whole_help(name))


COMMANDS: dict[str, Command] = {
    "models": Command(_models, "models [FILTER|BACKEND]", "list the models that can be asked"),
    "use": Command(_use, "use MODEL|BACKEND|ROUTE", "the default for the rest of the session"),
    "backends": Command(_backends, "backends", "what was found, from where, with which key"),
    "doctor": Command(_doctor, "doctor [BACKEND] [--send]",
                      "find out what is wrong; --send asks one tiny question"),
    "quota": Command(_quota, "quota [set|reset BUCKET ...]", "how much of which quota is left"),
    "limits": Command(_limits, "limits [MODEL] [--as-of DATE]",
                      "the limits that are assumed, and who says so"),
    "usage": Command(_usage, "usage [--days N] [--as FORM]", "what was used, by day and model"),
    "advise": Command(_advise, "advise", "the ways on, with your own numbers"),
    "cache": Command(_cache, "cache [clear|size]", "the answers that are stored"),
    "gallery": Command(_gallery, "gallery [DIR]", "the pictures, sounds and films made so far"),
    "panel": Command(_panel, "panel [NUMBER]", "settings, prompt and conversation to click on"),
    "export": Command(_export, "export [NOTEBOOK] [--to TARGET] [-o PATH]",
                      "this notebook as a program; --help tells more", quoted=True),
    "code": Command(_code, "code [-i CELL] [--to TARGET]",
                    "the last prompt as a program of its own", quoted=True),
    "import": Command(_import, "import PATH... [-o DIR]",
                      "AI Studio's prompts, code and apps as notebooks", quoted=True),
    "migrate": Command(_migrate, "migrate [PATH...] [--to SDK] [--write]",
                       "code of google-generativeai on the new SDK", quoted=True),
    "chat": Command(_chat, "chat [show|undo|reset NAME|load FILE]",
                    "list or change conversations"),
    "last": Command(_last, "last", "the last reply, or the last comparison"),
    "local": Command(_local, "local [install [MODEL]|stop]", "the model on this machine"),
    "key": Command(_key, "key [BACKEND]", "store a key, typed without an echo"),
    "trust": Command(_trust, "trust", "accept this project's configuration file"),
    "version": Command(_version, "version", "the versions of everything that takes part"),
    "help": Command(_help, "help [COMMAND]", "this help"),
}  # fmt: skip
