"""Evaluates placeholders and options in the user's namespace, and explains what went wrong."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Mapping
from typing import Any

from gemini_magic.errors import PlaceholderError, did_you_mean, sentence


class Namespace:
    """The user's variables, as expressions of a cell see them."""

    def __init__(self, variables: dict[str, Any]) -> None:
        self._variables = variables

    def value(self, expression: str) -> Any:
        """The value of an expression; ``PlaceholderError`` if it has none."""
        name = _first_name(expression)
        is_variable = name in self._variables
        if name and not is_variable and (name == expression or not hasattr(builtins, name)):
            raise self._undefined(name)  # {{ input }} or {{ id }} alone is no built-in function
        try:
            return eval(expression, self._variables)
        except NameError as error:
            raise self._undefined(error.name or name) from None
        except SyntaxError:
            raise PlaceholderError(
                f"{expression[:60]!r} is no Python expression; nothing was sent."
            ) from None
        except Exception as error:
            raise PlaceholderError(
                f"{expression[:60]} failed: {type(error).__name__}: {str(error)[:160]}; "
                "nothing was sent."
            ) from error

    def _undefined(self, name: str) -> PlaceholderError:
        known = [key for key in self._variables if not key.startswith("_")]
        return PlaceholderError(
            f"{name!r} is not defined; nothing was sent.", sentence(did_you_mean(name, known))
        )

    def bind(self, variables: Mapping[str, Any]) -> None:
        self._variables.update(variables)


def _first_name(expression: str) -> str:
    try:
        tree: ast.AST = ast.parse(expression, mode="eval").body
    except (SyntaxError, ValueError):
        return ""
    while isinstance(tree, ast.Attribute | ast.Subscript | ast.Call):
        tree = tree.func if isinstance(tree, ast.Call) else tree.value
    return tree.id if isinstance(tree, ast.Name) else ""
