"""Finds keys in what is about to be written; the text of a key is never shown."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

#: What keys of well-known services look like, and the variable that such a key usually has.
#: ``tail`` is what is random in it. Sources: the services' own documentation, and the public rules
#: of gitleaks (https://github.com/gitleaks/gitleaks, config/gitleaks.toml).
_SHAPES = (
    (r"AIza(?:Sy)?(?P<tail>[\w-]{30,})", "GEMINI_API_KEY"),
    (r"AQ\.(?P<tail>[\w-]{30,})", "GEMINI_API_KEY"),
    (r"ya29\.(?P<tail>[\w-]{20,})", "GOOGLE_ACCESS_TOKEN"),
    (r"GOCSPX-(?P<tail>[\w-]{20,})", "GOOGLE_CLIENT_SECRET"),
    (r"sk-or-(?:v\d-)?(?P<tail>[\w-]{20,})", "OPENROUTER_API_KEY"),
    (r"sk-ant-(?:[a-z]+\d*-)?(?P<tail>[\w-]{20,})", "ANTHROPIC_API_KEY"),
    (r"sk-(?:[a-z]+-)?(?P<tail>[\w-]{20,})", "OPENAI_API_KEY"),
    (r"sk_(?:live|test|prod)?_?(?P<tail>[A-Za-z0-9]{24,})", "SECRET_KEY"),
    (r"gsk_(?P<tail>[A-Za-z0-9]{20,})", "GROQ_API_KEY"),
    (r"hf_(?P<tail>[A-Za-z0-9]{30,})", "HF_TOKEN"),
    (r"xai-(?P<tail>[A-Za-z0-9]{20,})", "XAI_API_KEY"),
    (r"nvapi-(?P<tail>[\w-]{20,})", "NVIDIA_API_KEY"),
    (r"r8_(?P<tail>[A-Za-z0-9]{20,})", "REPLICATE_API_TOKEN"),
    (r"pplx-(?P<tail>[A-Za-z0-9]{20,})", "PERPLEXITY_API_KEY"),
    (r"gh[pousr]_(?P<tail>[A-Za-z0-9]{30,})", "GITHUB_TOKEN"),
    (r"github_pat_(?P<tail>\w{30,})", "GITHUB_TOKEN"),
    (r"glpat-(?P<tail>[\w-]{20,})", "GITLAB_TOKEN"),
    (r"AKIA(?P<tail>[0-9A-Z]{16})", "AWS_ACCESS_KEY_ID"),
    (r"xox[abprs]-(?P<tail>[\w-]{10,})", "SLACK_TOKEN"),
)  # fmt: skip
_KEYS = tuple(
    (re.compile(rf"(?<![A-Za-z0-9]){shape}(?![A-Za-z0-9])"), name) for shape, name in _SHAPES
)
#: How any of them begins: most texts hold none, and this is all that is looked for in them.
_BEGINS = re.compile(
    r"AIza|AQ\.|ya29\.|GOCSPX-|sk[-_]|gsk_|hf_|xai-|nvapi-|r8_|pplx-|gh[pousr]_|github_pat_|"
    r"glpat-|AKIA|xox[abprs]-|PRIVATE KEY"
)
#: How a private key begins.
PRIVATE = re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----")
#: What stands in documentation where a key would.
_PLACEHOLDER = re.compile(
    r"(?:\A|[-_])(?:your|my|example|sample|placeholder|dummy|fake|changeme|redacted|replace|insert|"
    r"here|goes|api[-_]?key)(?:[-_]|\Z)|x{6}|\*{3}|\.\.\.",
    re.I,
)
#: The same as the value of a variable; a key that somebody chose may hold any word.
_NO_VALUE = re.compile(r"your[-_ ]|<.*>|\$\{|x{6}", re.I)
#: A literal that is given as a key, and what it is given to: an argument, a variable, an entry.
_GIVEN = re.compile(
    r"""(?P<name>\b\w*(?:(?i:api_?key)|KEY|TOKEN|SECRET|PASSWORD))\b
        (?:["']\s*,|["']?\]?\s*(?::\s*str(?:ing)?\s*)?[=:])\s*(?:\(\s*)?
        [rbuRBU]{0,2}(?P<quote>["'`])(?P<key>[^\s"'`\\{}]{6,})(?P=quote)
      | (?P<old>\bGoogleGenerativeAI\()\s*["'`](?P<first>[^\s"'`\\{}]{6,})["'`]""",
    re.X,
)
#: A cell whose lines are a shell's, or those of a file that is no program.
_SHELL_CELL = re.compile(
    r"(?:[ \t]*(?:#[^\n]*)?\n)*[ \t]*%%(?:!|(?:ba|z)?sh\b|sx\b|script\b|system\b|"
    r"(?:write)?file\b(?![^\n]*\.(?:py|[cm]?[jt]sx?)\s))"
)
#: A line that is a shell's, or sets a variable of the environment.
_SHELL = re.compile(r"(?:[\w,.\t ]+=[ \t]*)?(?:!|%s[xy]|(?:export|setx?|env)[ \t])")
_ENV = re.compile(
    r"%(?:set_)?env[ \t]+(?P<name>\w*(?i:KEY|TOKEN|SECRET|PASSWORD))(?:[ \t]*=[ \t]*|[ \t]+)"
    r"(?P<quote>[\"']?)(?P<key>\S.*?)(?P=quote)\s*\Z"
)
#: What a shell's line gives such a variable: in quotes, or one word that is not put together.
_WORD = re.compile(
    r"""(?<![\w.])(?P<name>\w*(?i:KEY|TOKEN|SECRET|PASSWORD))=
        (?:(?P<quote>["'])(?P<key>[^"'\n$`]{6,})(?P=quote)
        | (?P<word>[^\s"'`;&|<>(){}\[\]$,]{6,})(?=[\s"';&|),]|\Z))""",
    re.X,
)
#: What a value begins with that is another variable's, or a command's.
_EXPANDED = re.compile(r"\$|`|\{[^{}]*\}\Z")
#: What stands there but is no key: the name of a variable.
_VARIABLE = re.compile(r"[A-Z][A-Z_]*\Z")
#: A text that is given as a key is no longer shown if it has so many characters.
_LEAST = 6
#: A key has at least so many different characters in what is random of it.
_DIFFERENT = 8
#: A value of the environment that is shorter than this is found in many texts by chance.
_SHORTEST = 12


class Key(NamedTuple):
    """A key in a text: where it stands, from and to, its line from 1, and its variable's name."""

    start: int
    end: int
    line: int
    name: str


def keys_in(
    text: str, key_names: Iterable[str] = (), environ: Mapping[str, str] | None = None
) -> list[Key]:
    """The keys in a text, in their order.

    A key is what looks like one, and the value of an environment variable with one of these names.
    """
    found = [*_known(text, key_names, os.environ if environ is None else environ)]
    if _BEGINS.search(text):
        found += _shaped(text)
    found.sort(key=lambda one: (one[0], -one[1]))
    keys: list[Key] = []
    for start, end, name in found:
        if not keys or start >= keys[-1].end:
            keys.append(Key(start, end, text.count("\n", 0, start) + 1, name))
    return keys


def keys_given(text: str) -> list[Key]:
    """The literals of a program (Python or JavaScript) that are given as keys, in their order.

    They are not told by what they look like: a proxy's key may be any text. Those that look like a
    known service's key are among them. Values of the environment (``%env``, ``export``, shells) are
    keys by their variable's name.
    """
    found = [(match.span("first" if match["old"] else "key"), match["name"] or "")
             for match in _GIVEN.finditer(text)]  # fmt: skip
    keys: list[Key] = []
    line, counted = 1, 0
    for (start, end), given in sorted([*found, *_exported(text)]):
        value = text[start:end]
        if _NO_VALUE.match(value) or _VARIABLE.match(value) or not re.search(r"\w", value):
            continue
        if keys and start < keys[-1].end:
            continue
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", given).upper().lstrip("_")
        if looks := keys_in(value):
            name = looks[0].name
        elif name in ("", "API_KEY", "APIKEY"):  # of a program that asks Gemini
            name = "GEMINI_API_KEY"
        line, counted = line + text.count("\n", counted, start), start
        keys.append(Key(start, end, line, name))
    return keys


def _exported(text: str) -> Iterator[tuple[tuple[int, int], str]]:
    """Where values of the environment stand, and their variables' names."""
    is_shell = _SHELL_CELL.match(text) is not None
    for line in re.finditer(r"[^\n]+", text):
        given = line[0].lstrip()
        lead = line.start() + len(line[0]) - len(given)
        if (env := _ENV.match(given)) is not None:
            matches, group = [env] if len(env["key"]) >= _LEAST else [], "key"
        elif is_shell or _SHELL.match(given):
            matches, group = [*_WORD.finditer(given)], ""
        else:
            continue
        for match in matches:
            start, end = match.span(group or ("key" if match["key"] else "word"))
            if not _EXPANDED.match(match.string, start, end):
                yield (lead + start, lead + end), match["name"]


def without_values(text: str, names: Mapping[str, str]) -> str:
    """The text with names in brackets in the place of keys; given are the keys' names.

    A file may hold very many of them: they are found by their first word, in one pass.
    """
    by_word: dict[str, list[tuple[str, int]]] = {}
    for value in sorted(names, key=len, reverse=True):
        if word := re.search(r"\w+", value):
            by_word.setdefault(word[0], []).append((value, word.start()))
    made: list[str] = []
    at = 0
    for word in re.finditer(r"\w+", text):
        for value, lead in by_word.get(word[0], ()):
            start = word.start() - lead
            if start >= at and text.startswith(value, start):
                made += [text[at:start], f"[{names[value]}]"]
                at = start + len(value)
                break
    return "".join([*made, text[at:]])


def _known(
    text: str, key_names: Iterable[str], environ: Mapping[str, str]
) -> Iterator[tuple[int, int, str]]:
    for name in sorted(key_names):
        value = environ.get(name, "").strip()
        if len(value) < _SHORTEST or _NO_VALUE.match(value):
            continue
        at = text.find(value)
        while at >= 0:
            yield at, at + len(value), name
            at = text.find(value, at + len(value))


def _shaped(text: str) -> Iterator[tuple[int, int, str]]:
    for match in PRIVATE.finditer(text):
        yield (*match.span(), "PRIVATE_KEY")
    for pattern, name in _KEYS:
        for match in pattern.finditer(text):
            tail = match["tail"]
            if len(set(tail)) < _DIFFERENT or _PLACEHOLDER.search(tail):
                continue
            if match[0].startswith("sk") and not _is_random(tail):
                continue
            yield (*match.span(), name)


def _is_random(tail: str) -> bool:
    """Whether it is no name of words (``sk-learn-pipeline-of-many-steps``)."""
    return any(char.isdigit() for char in tail) and any(
        len(run) >= 12 for run in re.split("[-_]", tail)
    )


def lines_with_keys(
    text: str, key_names: Iterable[str] = (), environ: Mapping[str, str] | None = None
) -> list[int]:
    """The numbers of the lines, from 1, that hold a key (see ``keys_in``)."""
    return [*dict.fromkeys(key.line for key in keys_in(text, key_names, environ))]
