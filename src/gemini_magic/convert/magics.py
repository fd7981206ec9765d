"""What IPython's magics and shell commands mean in a program that knows no IPython."""

from __future__ import annotations

import re
import shlex
from typing import Literal

from gemini_magic.convert.steps import Action, Install, Meaning, Nothing, Shell

#: Magics that change how a notebook looks or is edited, or measure it.
_SILENT_LINES = frozenset(
    {
        *("load_ext", "reload_ext", "unload_ext", "matplotlib", "pylab", "config", "autoreload"),
        *("aimport", "autosave", "automagic", "colors", "precision", "xmode", "pdb", "pprint"),
        *("alias", "alias_magic", "rehashx", "history", "who", "whos", "pinfo", "pinfo2"),
        *("page", "recall", "rerun", "save", "store", "logstart", "logoff", "logon", "tb", "debug"),
        *("lsmagic", "magic", "quickref", "reset", "reset_selective", "notebook", "gui", "edit"),
        *("pdoc", "pfile", "pdef", "psearch", "xdel", "macro", "memit", "mprun", "lprun", "html"),
        *("psource", "timeit", "prun", "load", "pycat", "tensorflow_version"),
    }
)  # fmt: skip
_SILENT_CELLS = frozenset({"html", "HTML", "javascript", "js", "latex", "svg", "SVG", "markdown"})
#: Cell magics whose body is Python that runs as it is, and whose line is not.
TRANSPARENT = frozenset({"time", "timeit", "capture", "prun"})
#: Cell magics whose body another program runs.
_PROGRAMS = frozenset({"bash", "sh", "perl", "ruby", "python", "python3", "pypy"})
#: Options of theirs that take a name after them.
_NAMED = ("--out", "--err", "--proc")
#: Line magics that are shell commands with the same name.
_ALIASES = frozenset({"ls", "ll", "cat", "cp", "mv", "rm", "mkdir", "rmdir", "less", "more", "man"})
_PIP = re.compile(
    r"\s*(?:(?:python3?|uv|[\"']?\{sys\.executable\}[\"']?)\s+(?:-m\s+)?)?"
    r"(?:pip3?|conda|mamba)\s+(install)\s+(.*)",
    re.S,
)
#: Options of pip's that take a word after them.
_PIP_WORDS = {"-i", "--index-url", "--extra-index-url", "-f", "--find-links", "-c", "--constraint",
              "-r", "--requirement", "-e", "--editable", "-t", "--target", "--root", "--prefix",
              "-p", "--platform", "--python", "-n", "--channel"}  # fmt: skip
_AUTOMAGIC = re.compile(
    r"^([ \t]*)((?:pip|conda|mamba|cd|ls|ll|cat|cp|mv|rm|mkdir|rmdir|run|env)[ \t]+[^\s=(.,])", re.M
)
_REQUIREMENT = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]*(?:\[[\w, .-]+\])?\s*(?:(?:[<>=!~]=?=?|@).*)?\Z"
)


def line_magic(name: str, line: str) -> Meaning:
    """What ``%name line`` stands for."""
    source = f"%{name} {line}".rstrip()
    if name in ("pip", "conda", "mamba", "uv"):
        return installed(f"pip {line.removeprefix('pip ')}") or Nothing(source, "")
    if name == "cd":
        words = _words(line)
        return Action("chdir", (words[0] if words else "~",)) if line != "-" else Nothing(source)
    if name == "pwd":
        return Action("getcwd", ())
    if name in ("env", "set_env"):
        return _environment(line)
    if name in ("run",) and (words := _words(line)):
        return Action("run", tuple(word for word in words if not word.startswith("-")))
    if name in _ALIASES:
        return Shell(f"{name} {line}".rstrip())
    if name in ("sx", "sc", "system"):
        return Shell(line, captured=True)
    if name in _SILENT_LINES:
        return Nothing(source)
    return Nothing(source, f"the magic %{name} is not known here")


def cell_magic(name: str, line: str, body: str) -> Meaning:
    """What ``%%name line`` and its body stand for; a text is Python code to be read on."""
    source = f"%%{name} {line}".rstrip() + "\n" + body
    if name in TRANSPARENT:
        statement = line if name == "time" and line else ""
        return "\n".join(filter(None, (statement, body)))
    if name in _PROGRAMS:
        return _program(name, _words(line), body)
    if name == "script" and (
        words := [w for w in _words(line) if w not in ("--bg", "--no-raise-error")]
    ):
        return _program(words[0], words[1:], body)
    if name in ("system", "sx", "!"):
        return Shell("\n".join(filter(None, (line, body))), program="sh", live=False)
    if name in ("writefile", "file") and (words := _words(line)):
        how: Literal["append", "write"] = "append" if words[0] in ("-a", "--append") else "write"
        return Action(how, (words[-1], body))
    if name in _SILENT_CELLS:
        return Nothing(source)
    return Nothing(source, f"the magic %%{name} is not known here")


def _program(name: str, words: list[str], body: str) -> Shell:
    """A program with its arguments; ``--out NAME`` is where what it prints goes."""
    out, given = "", []
    rest = iter(words)
    for word in rest:
        option, sign, value = word.partition("=")
        if option in _NAMED:
            value = value if sign else next(rest, "")
            out = value if option == "--out" else out
        elif word not in ("--bg", "--no-raise-error"):
            given.append(word)
    return Shell(body, program=name, live=False, words=tuple(given), out=out)


def lost(name: str, line: str) -> str:
    """What of a transparent magic means nothing in a program; empty where nothing is lost."""
    words = [word for word in _words(line) if not word.startswith("-")]
    if name == "capture" and words:
        return f"%%capture: what is printed is shown, and {words[0]} is not bound"
    if name == "timeit":
        setup = f", and {line.strip()[:60]} is left out" if words else ""
        return f"%%timeit: the cell runs once{setup}"
    return ""


def spelled_out(source: str) -> str:
    """A cell whose lines may be magics without their sign, as IPython's automagic takes them."""
    return _AUTOMAGIC.sub(r"\1%\2", source)


def installed(command: str) -> Install | None:
    """What a command installs; None where it is no installation, or not only one."""
    found = _PIP.match(command)
    if found is None:
        return None
    packages: list[str] = []
    words = iter(_words(found[2], comments=True))
    for word in words:
        if word in ("&&", ";", "|", "||", ">", "2>&1", ">/dev/null"):
            break
        if word in _PIP_WORDS:
            next(words, None)
        elif not word.startswith("-") and _REQUIREMENT.match(word):
            packages.append(word)
        elif word.startswith(("git+", "https://")):
            name = word.rpartition("/")[2].partition(".git")[0].partition("@")[0]
            packages.append(f"{name} @ {word}")
    return Install(tuple(packages), command.strip())


def _environment(line: str) -> Meaning:
    name, sign, value = line.partition("=")
    if not sign:
        name, _, value = line.strip().partition(" ")
    if not value:
        return Action("getenv", (name.strip(),)) if name.strip() else Nothing("%env")
    return Action("setenv", (name.strip(), value.strip()))


def _words(line: str, *, comments: bool = False) -> list[str]:
    try:
        return shlex.split(line, comments=comments)
    except ValueError:
        return line.split()
