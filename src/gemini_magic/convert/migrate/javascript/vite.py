"""Vite's configuration in apps of Build mode: it writes keys into the pages that it builds."""

from __future__ import annotations

import re
from pathlib import PurePath

from gemini_magic.convert.javascript_tokens import Unreadable
from gemini_magic.convert.migrate.javascript.code import Code
from gemini_magic.convert.migrate.job import Options
from gemini_magic.convert.migrate.report import Migrated, Place
from gemini_magic.errors import GeminiMagicError

_OLD = re.compile(r"process\.env\.(?:GEMINI_)?API_KEY")


def is_config(path: PurePath) -> bool:
    return path.name.startswith("vite.config.")


def concerns(text: str, options: Options) -> bool:
    """Whether the program's key has another name now, and this writes the old one."""
    renamed = options.base_url is not None or options.key_env is not None
    return options.to == "openai" and renamed and _OLD.search(text) is not None


def migrate(text: str, options: Options) -> Migrated:
    """With the new key beside the old one. Raises ``GeminiMagicError``."""
    name = options.key_env or "OPENAI_API_KEY"
    if not concerns(text, options) or f"process.env.{name}" in text:
        return Migrated(text)
    try:
        code = Code(text)
    except (Unreadable, RecursionError) as error:
        raise GeminiMagicError(f"it cannot be read as JavaScript: {error}.") from None
    for at, token in enumerate(code.tokens):
        if token.kind == "text" and _OLD.fullmatch(token.value) and code.sign(at + 1) == ":":
            entry = text[token.start : code.tokens[code.end(at + 2)].end]
            new = re.sub(r"\b(?:GEMINI_)?API_KEY\b", lambda _: name, entry)
            line = code.line_start(token.start)
            alone = not text[line : token.start].strip()
            between = f",{code.newline}{code.indent(token.start)}" if alone else ", "
            made = f"{text[: token.start]}{new}{between}{text[token.start :]}"
            return Migrated(made, (Place(code.line(at), "done", "vite"),))
    return Migrated(text)
