"""Makes options of the command line out of the cell that is tagged ``parameters``."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, NamedTuple

from gemini_magic.convert.pytext import OWN, call, literal, value
from gemini_magic.convert.reading import Places
from gemini_magic.convert.steps import Code, Span

#: What papermill and Jupyter Book call the cell whose values are to be given from outside.
TAG = "parameters"
_TYPES: dict[type, str] = {int: "int", float: "float", str: ""}


class Option(NamedTuple):
    """One assignment as an option: its variable, and where its value stands in the code."""

    name: str
    span: Span
    default: Any
    arguments: tuple[str, ...]

    @property
    def flag(self) -> str:
        return f"--{self.name.strip('_').replace('_', '-')}"


class Parser(NamedTuple):
    """``head`` makes the parser and reads the command line; ``changes`` read the values."""

    head: list[str]
    changes: list[tuple[Span, str]]


def parser(
    code: Code,
    description: str,
    name: Callable[[str], str],
    note: Callable[[str, str], None],
) -> Parser | None:
    """The options of a cell; None where it holds no literal that could be one.

    ``name`` gives free names. What is no literal stays as it is, with a note.
    """
    options = _options(code, note)
    if not options:
        return None
    made, given = name("parser"), name("arguments")
    head = [
        f"{made} = {call(f'{OWN}argparse.ArgumentParser', [f'description={literal(description)}'])}"
    ]
    for one in options:
        words = [literal(one.flag), *one.arguments]
        head.append(call(f"{made}.add_argument", words))
    head.append(f"{given} = {made}.parse_args()")
    return Parser(head, [(one.span, f"{given}.{one.name}") for one in options])


def _options(code: Code, note: Callable[[str, str], None]) -> list[Option]:
    at, found = Places(code.source), dict[str, Option]()
    for node in code.tree.body:
        hint = node.annotation if isinstance(node, ast.AnnAssign) else None
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=given):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as given):
                pass
            case _:
                continue
        arguments = _arguments(given, hint)
        if arguments is None:
            note("differs", f"--params: {name} is no literal that an option could give; it stays")
            continue
        default, words = arguments
        option = Option(name, at.span(given), default, ())
        if option.flag in ("--", "--help") or option.flag in {one.flag for one in found.values()}:
            note("differs", f"--params: {name} cannot be an option beside the others; it stays")
            continue
        if option.flag[2:].replace("-", "_") != name:
            words = [f"dest={literal(name)}", *words]
        if said := _comment(code.source, at.span(given)[1]):
            words = [*words, f"help={literal(said.replace('%', '%%'))}"]
        found[name] = option._replace(arguments=tuple(words))
    return list(found.values())


def _arguments(given: ast.expr, hint: ast.expr | None) -> tuple[Any, list[str]] | None:
    """The default, and what ``add_argument`` is told; None where it can be no option."""
    try:
        default = ast.literal_eval(given)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None
    kinds = _hinted(hint)
    written = f"default={value(default)}"
    if isinstance(default, bool):
        return default, [f"action={OWN}argparse.BooleanOptionalAction", written]
    if isinstance(default, list):
        if any(type(one) not in _TYPES for one in default) or len(set(map(type, default))) > 1:
            return None
        kind = type(default[0]) if default else kinds.get("list", str)
        words = [f"type={_TYPES[kind]}"] if _TYPES[kind] else []
        return default, ['nargs="*"', *words, written]
    if default is None:
        kind = next((one for one in (float, int) if one.__name__ in kinds), str)
        return default, [f"type={_TYPES[kind]}"] if _TYPES[kind] else []
    if type(default) not in _TYPES:
        return None
    kind = float if type(default) is int and "float" in kinds else type(default)
    choices = [f"choices={value(list(kinds['choices']))}"] if "choices" in kinds else []
    words = [f"type={_TYPES[kind]}"] if _TYPES[kind] else []
    return default, [*words, *choices, written]


def _hinted(hint: ast.expr | None) -> dict[str, Any]:
    """What an annotation says: names of types, ``list`` with its element's, ``choices``."""
    match hint:
        case ast.Name(id=name):
            return {name: True}
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return {**_hinted(left), **_hinted(right)}
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            return _hinted(inner)
        case ast.Subscript(value=ast.Name(id="list" | "List"), slice=ast.Name(id=name)):
            return {"list": {"int": int, "float": float}.get(name, str)}
        case ast.Subscript(value=ast.Name(id="Literal"), slice=inner):
            several = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            known = [one.value for one in several if isinstance(one, ast.Constant)]
            return {"choices": known} if len(known) == len(several) else {}
    return {}


def _comment(source: str, end: int) -> str:
    """The comment behind a value, as papermill reads it."""
    rest = source[end:].partition("\n")[0].strip()
    return rest.lstrip("# ").strip() if rest.startswith("#") else ""
