"""Writes shell commands and plain magics as Python: subprocess, os, pathlib."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from gemini_magic.convert.library import Import
from gemini_magic.convert.names import Names
from gemini_magic.convert.pytext import OWN, call, comment, literal, text_expression
from gemini_magic.convert.steps import Action, Install, Shell
from gemini_magic.template import Placeholder, Segment

if TYPE_CHECKING:
    from gemini_magic.convert.asking import Asking

#: What IPython fills in: ``{expression}``, ``$name``, ``${name}``, and ``$$`` for the shell's own.
#: Source: IPython.utils.text.DollarFormatter
_FILLED = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|\$\$|\$([^\W\d]\w*)")


class ShellWriter:
    """Knows the notebook's names, and gathers the packages that have to be installed."""

    def __init__(self, names: Names, asking: Asking) -> None:
        self.packages: dict[str, str] = {}
        self._names = names
        self._asking = asking

    def written(
        self, meaning: Shell | Install | Action, statement: bool, note: Callable[[str, str], None]
    ) -> str:
        """A statement, or an expression; a comment where there is nothing to do."""
        if isinstance(meaning, Install):
            for package in meaning.packages:
                name = re.split(r"[^\w.-]", package, maxsplit=1)[0].lower().replace("_", "-")
                if name not in ("google-genai", "openai", "gemini-magic", "pip", "ipython"):
                    self.packages.setdefault(name, package)
            return comment(meaning.source) if statement else "None"
        if isinstance(meaning, Shell):
            return self._command(meaning)
        return self._action(meaning, statement, note)

    def _command(self, shell: Shell) -> str:
        if shell.program:
            self._asking.imports.add(Import("subprocess"))
            return self._program(shell)
        command = self._filled(shell.command) if shell.live else text_expression([shell.command])
        if shell.captured:
            self._asking.helpers.add("shell")
            return f"{OWN}shell({command})"
        self._asking.imports.add(Import("subprocess"))
        return call(f"{OWN}subprocess.run", [command, "shell=True", "check=False"])

    def _program(self, shell: Shell) -> str:
        program, body = literal(shell.program), text_expression([shell.command])
        if shell.program in ("python", "python3"):
            self._asking.imports.add(Import("sys"))
            program = f"{OWN}sys.executable"
        more = ["check=True"]
        if shell.words:  # they are the program's, which reads its script from its input
            words = [program, *map(self._filled, shell.words)]
            more += [f"input={body}", "text=True"]
        else:
            words = [program, '"-e"' if shell.program in ("perl", "ruby") else '"-c"', body]
        if not shell.out:
            return call(f"{OWN}subprocess.run", [f"[{', '.join(words)}]", *more])
        more += [f"stdout={OWN}subprocess.PIPE", *(["text=True"] if not shell.words else [])]
        done = call(f"{OWN}subprocess.run", [f"[{', '.join(words)}]", *more])
        return f"{shell.out} = {done}.stdout"

    def _filled(self, text: str) -> str:
        """A command with the variables that IPython would fill in; all of them, or none."""
        segments: list[Segment] = []
        done = 0
        for found in _FILLED.finditer(text):
            segments.append(text[done : found.start()])
            done = found.end()
            expression = found[1] or found[2]
            if expression is None:
                segments.append(found[0][0])
            elif self._is_known(expression):
                segments.append(Placeholder(expression.strip(), "", "", found[0]))
            elif found[2]:
                segments.append(found[0])  # the shell's own variable
            else:
                return text_expression([text])
        rest = [*segments, text[done:]]
        joined: list[Segment] = []
        for one in rest:
            if isinstance(one, str) and joined and isinstance(joined[-1], str):
                joined[-1] += one
            elif one != "":
                joined.append(one)
        return text_expression(joined)

    def _is_known(self, expression: str) -> bool:
        if "\\" in expression or "#" in expression or {"'", '"'} <= set(expression):
            return False
        try:
            tree = ast.parse(expression.strip(), mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
        names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
        return bool(names) and all(self._names.is_known(name) for name in names)

    def _action(self, action: Action, statement: bool, note: Callable[[str, str], None]) -> str:
        imports, first = self._asking.imports, action.words[0] if action.words else ""
        if action.what in ("chdir", "getcwd", "setenv", "getenv"):
            imports.add(Import("os"))
        match action.what:
            case "chdir":
                return f"{OWN}os.chdir({OWN}os.path.expanduser({self._filled(first)}))"
            case "getcwd":
                return f"print({OWN}os.getcwd())" if statement else f"{OWN}os.getcwd()"
            case "getenv":
                return f"{OWN}os.environ.get({literal(first)})"
            case "setenv" if statement:
                return f"{OWN}os.environ[{literal(first)}] = {self._filled(action.words[1])}"
            case "write":
                imports.add(Import("pathlib", "Path"))
                body = text_expression([action.words[1]])
                return call(f"{OWN}Path({self._filled(first)}).write_text", [body, '"utf-8"'])
            case "append":
                body = text_expression([action.words[1]])
                return f'with open({self._filled(first)}, "a", encoding="utf-8") as file:\n' \
                       f"    file.write({body})"  # fmt: skip
            case "run":
                if first.endswith(".ipynb"):
                    note("left-out", f"%run {first}: export that notebook, too")
                    return f"pass  # %run {comment(first)[2:]}" if statement else "None"
                imports.add(Import("runpy"))
                if len(action.words) > 1:
                    note("differs", f"%run {first} is given no arguments")
                ran = f'{OWN}runpy.run_path({self._filled(first)}, run_name="__main__")'
                return f"globals().update({ran})"
        return "None"
