"""``%%gemini --def NAME``: makes a Python function of a cell; its placeholders are parameters."""

from __future__ import annotations

import ast
import builtins
import keyword
from collections.abc import Iterable, Iterator, Mapping
from inspect import Parameter, Signature
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gemini_magic import api, template
from gemini_magic.cell import GeminiCell
from gemini_magic.engine.question import put, targets_of
from gemini_magic.errors import UsageError
from gemini_magic.notebook.namespace import Namespace
from gemini_magic.template import Placeholder
from gemini_magic.types import Reply, Target

if TYPE_CHECKING:
    from gemini_magic.notebook.session import Session

#: Why an option says nothing of a function.
_SENSELESS = {
    "chat": "its calls have no place in a conversation",
    "compare": "it asks one model; define it once for each",
    "out": "its reply is what a call returns",
    "as": "it draws nothing; take what you need of the reply",
    "save": "it draws nothing; take the pictures from reply.media",
    "allow-remote-images": "it draws nothing",
    "dry-run": "defining it sends nothing anyway",
}
#: The characters of a template that the function's help shows.
_LONGEST_HELP = 4_000


class PromptFunction:
    """A cell as a function: its parameters fill the placeholders, a call returns the ``Reply``.

    ``cell`` is the cell that it was made of. A call asks with the notebook's engine and settings,
    or where there is no notebook with plain Python's; it draws nothing, and may be made from any
    thread. Names that are no parameters are looked up in the notebook when it is called; a copy
    in another process has none of those.
    """

    def __init__(
        self,
        name: str,
        cell: GeminiCell,
        parameters: Mapping[str, Any],
        variables: Mapping[str, Any],
    ) -> None:
        """``parameters`` are the defaults by name; ``Parameter.empty`` where there is none.

        ``variables`` is where all other names are looked up: the notebook's.
        """
        self._variables = variables
        self.__name__ = self.__qualname__ = name
        self.__doc__ = _help(cell)
        self.cell = cell
        kind = Parameter.POSITIONAL_OR_KEYWORD
        self.__signature__ = Signature(
            [Parameter(one, kind, default=default) for one, default in parameters.items()],
            return_annotation=Reply,
        )

    def __call__(self, /, *args: Any, **values: Any) -> Reply:
        """Ask. Raises ``CallError`` for wrong arguments, and what ``gemini_magic.ask`` raises."""
        with api.raising():
            bound = self._bound(args, values)
            desk = api.desk()
            variables = {**self._variables, **bound}
            asked = put(
                desk.engine,
                desk.config,
                self.cell,
                Namespace(variables).value,
                may_replay=lambda request: desk.may_replay(self.cell, request),
            )
            reply = api.follow(asked).reply()
            desk.remember(reply)
            return reply

    def _bound(self, args: tuple[Any, ...], values: dict[str, Any]) -> dict[str, Any]:
        try:
            bound = self.__signature__.bind(*args, **values)
        except TypeError as error:
            raise api.CallError(
                f"{self.__name__}(): {error}; nothing was sent.", f"It is called {_call(self)}"
            ) from None
        bound.apply_defaults()
        return bound.arguments

    def __getstate__(self) -> dict[str, Any]:
        """Another process has variables of its own."""
        return {**vars(self), "_variables": {}}

    def __repr__(self) -> str:
        return f"<{_call(self)}: a prompt of %%{self.cell.magic}>"


def define(session: Session, cell: GeminiCell) -> None:
    """Make the function that a cell with ``--def`` stands for, and bind it; nothing is sent.

    Raises ``UsageError`` and ``ConfigError``, and binds nothing then.
    """
    name = cell.text("def") or ""
    if keyword.iskeyword(name):
        raise UsageError(f"--def {name}: that is a word of Python's; nothing was defined.")
    for option, why in _SENSELESS.items():
        if cell.get(option) is not None:
            raise UsageError(f"--def does not go with --{option}: {why}; nothing was defined.")
    if not cell.template.strip():
        raise UsageError(
            "--def needs a prompt; nothing was defined.",
            f"For example: %%{cell.magic} --def {name} Summarise {{{{ text }}}} in one line.",
        )
    targets = targets_of(session.engine, session.refresh(), cell)  # says early what is off
    known = {key: value for key, value in session.shell.user_ns.items() if key != name}
    function = PromptFunction(name, cell, _parameters(cell, known), session.shell.user_ns)
    session.namespace.bind({name: function})
    if not cell.flag("quiet"):
        print(_made(function, targets))


def _parameters(cell: GeminiCell, known: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a cell, those without a default first, each in order of occurrence.

    What exists already is the default of its parameter.
    """
    names = dict.fromkeys(
        name for placeholder in _placeholders(cell) for name in _names(placeholder, known)
    )
    required = {name: Parameter.empty for name in names if name not in known}
    return required | {name: known[name] for name in names if name in known}


def _placeholders(cell: GeminiCell) -> Iterator[Placeholder]:
    if not cell.flag("raw"):
        yield from template.placeholders(cell.template)
        yield from template.placeholders(cell.text("system") or "")


def _names(placeholder: Placeholder, known: Mapping[str, Any]) -> Iterator[str]:
    """The names in a placeholder that a caller gives a value to.

    That is the first one, and what is not defined of the others. Where the first one is a helper,
    such as ``len`` in ``{{ len(words) }}``, it is the first that is none.
    """
    tree = ast.parse(placeholder.expression, mode="eval")
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    alone = placeholder.expression == placeholder.name
    subjects = [
        name
        for name in _free_names(tree)
        if alone or not _is_helper(name, known, called=name in called)
    ]
    yield from subjects[:1]
    yield from (name for name in subjects[1:] if name not in known)


def _is_helper(name: str, known: Mapping[str, Any], *, called: bool) -> bool:
    """Whether a name stands for a built-in, a module, or a function that is called."""
    if name not in known:
        return hasattr(builtins, name)
    return isinstance(known[name], ModuleType) or (called and callable(known[name]))


def _free_names(tree: ast.AST) -> Iterator[str]:
    """The variables of an expression in their order, less those of its own (comprehensions)."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    own = {node.id for node in found if isinstance(node.ctx, ast.Store)}
    own |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    found.sort(key=lambda node: (node.lineno, node.col_offset))
    yield from dict.fromkeys(node.id for node in found if node.id not in own)


def _call(function: PromptFunction) -> str:
    """How it is called, for people: long defaults are cut."""
    words = []
    for one in function.__signature__.parameters.values():
        if one.default is Parameter.empty:
            words.append(one.name)
        else:
            words.append(f"{one.name}={_short(one.default)}")
    return f"{function.__name__}({', '.join(words)})"


def _short(value: Any) -> str:
    try:
        text = " ".join(repr(value).split())
    except Exception:  # the user's own __repr__
        text = f"<{type(value).__name__}>"
    return text if len(text) <= 40 else f"{text[:39]}…"


def _made(function: PromptFunction, targets: Iterable[Target]) -> str:
    asks = ", then ".join(map(str, targets))
    return f"{_call(function)} -> Reply is defined; it asks {asks}. Nothing was sent."


def _help(cell: GeminiCell) -> str:
    text = cell.to_source()
    return text if len(text) <= _LONGEST_HELP else f"{text[:_LONGEST_HELP]} …"
