"""The calls of Gemini's API in shell scripts: curl, with bodies that are not quite JSON.

"Get code" writes trailing commas, and a here-document without quotes, whose text the shell would
expand (``$``, backticks). What stands there is taken as it stands: so it was typed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from gemini_magic.convert.javascript_tokens import Unreadable
from gemini_magic.convert.studio.bodies import Call, get
from gemini_magic.convert.studio.javascript import value_of

_MODEL = re.compile(r"models/([^/:?\s\"']+):(\w+)")
_HEREDOC = re.compile(r"<<-?[ \t]*(['\"]?)(\w+)\1([^\n]*)\n")
_TARGET = re.compile(r">\s*[\"']?([\w./-]+)[\"']?")
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")
_DATA = ("-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--json")
_HOSTS = ("generativelanguage.googleapis.com", ":generateContent", ":streamGenerateContent")


class _Script(NamedTuple):
    text: str
    files: Mapping[str, str]


def is_ours(source: str) -> bool:
    """Whether it is a script that asks Gemini."""
    return "curl" in source and any(host in source for host in _HOSTS)


def calls(source: str) -> Iterator[Call]:
    """The calls, in their order. Raises ``Unreadable`` where a body cannot be read."""
    script = _without_heredocs(source.replace("\r\n", "\n"))
    names: dict[str, str] = {}
    for words in _commands(script.text):
        for word in words:
            name, sign, value = word.partition("=")
            if sign and name.isidentifier():
                names[name] = _expanded(value, names)
            else:
                break
        if any(word == "curl" or word.endswith("/curl") for word in words):
            call = _call(words, script.files, names)
            if call is not None:
                yield call


def _without_heredocs(source: str) -> _Script:
    """The script without its here-documents, and these by the names of their files."""
    files: dict[str, str] = {}
    kept: list[str] = []
    endless: set[str] = set()
    done = position = 0
    while match := _HEREDOC.search(source, position):
        position = match.end()
        word = match[2]
        end = None
        if word not in endless:
            end = re.compile(rf"^[ \t]*{word}[ \t]*$", re.M).search(source, match.end())
        if end is None:
            endless.add(word)
            continue
        line = source[source.rfind("\n", 0, match.start()) + 1 : match.start()] + match[3]
        target = _TARGET.search(line)
        files[target[1] if target else "-"] = source[match.end() : end.start()]
        kept += [source[done : match.start()], match[3], "\n"]
        done = position = end.end()
    return _Script("".join([*kept, source[done:]]), files)


def _commands(text: str) -> Iterator[list[str]]:
    """The commands of a script as words."""
    text = re.sub(r"\\\n", " ", text)
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";&|<>()\n")
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    words: list[str] = []
    try:
        for word in lexer:
            if word and not word.strip(";&|()\n"):
                if words:
                    yield words
                words = []
            else:
                words.append(word)
    except ValueError:
        raise Unreadable("a quotation mark is not closed") from None
    if words:
        yield words


def _call(words: list[str], files: Mapping[str, str], names: Mapping[str, str]) -> Call | None:
    expanded = [_expanded(word, names) for word in words]
    found = _MODEL.search(next((word for word in expanded if "models/" in word), ""))
    if found is None or not found[2].lower().endswith("generatecontent"):
        return None
    body: Any = {}
    for number, word in enumerate(words):
        option, sign, inline = word.partition("=")
        if word in _DATA and number + 1 < len(words):
            body = _body(words[number + 1], files)
        elif option in _DATA and sign:
            body = _body(inline, files)
        elif word.startswith("-d") and len(word) > 2 and not word.startswith("--"):
            body = _body(word[2:], files)
    return Call(found[1], get(body, "contents"), body)


def _body(text: str, files: Mapping[str, str]) -> Any:
    if text.startswith("@"):
        name = text[1:]
        if name not in files and "-" not in files:
            raise Unreadable(f"the body is in the file {name}, which is not here")
        text = files.get(name, files.get("-", ""))
    value = value_of(text)
    if not isinstance(value, Mapping):
        raise Unreadable("the body is no object")
    return value


def _expanded(text: str, names: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: names.get(found[1], found[0]), text)
