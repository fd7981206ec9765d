"""Safety settings: the old SDK's many forms as a list of ``SafetySetting``."""

from __future__ import annotations

import ast
from collections.abc import Callable

from gemini_magic.convert.migrate import old_sdk
from gemini_magic.convert.migrate.job import Job
from gemini_magic.convert.migrate.source import Part


def converted(job: Job, node: ast.expr) -> list[Part]:
    """What to give as ``safety_settings``."""
    single = _threshold(job, node)
    if single is not None:
        return _everywhere(job, single)
    if isinstance(node, ast.Dict):
        return _of_pairs(job, node)
    if isinstance(node, ast.List | ast.Tuple):
        _names_of(job, node)
        return [job.span(node)] if isinstance(node, ast.List) else ["list(", job.span(node), ")"]
    values = job.kinds.values(node)
    for value in values:
        _names_of(job, value)
    atom = job.atom(node)
    setting = f"{job.types}.SafetySetting(category=c, threshold=t)"
    if values and all(isinstance(value, ast.Dict | ast.DictComp) for value in values):
        return [f"[{setting} for c, t in ", *atom, ".items()]"]
    if values and all(isinstance(value, ast.List | ast.ListComp) for value in values):
        return atom
    if values and all(_threshold(job, value) is not None for value in values):
        return _everywhere(job, atom)
    job.assisted(node, "safety", "safety_settings has to be a list of types.SafetySetting now; "
                 "here it may be a dict")  # fmt: skip
    return [f"[{setting} for c, t in ", *atom, ".items()] if isinstance(", *atom, ", dict) else ",
            *atom]  # fmt: skip


def as_objects(job: Job, node: ast.expr) -> list[Part]:
    """The same, where nothing makes objects of the dicts in a list."""
    made = converted(job, node)
    if any(isinstance(part, str) and "SafetySetting(" in part for part in made):
        return made
    return [f"[{job.types}.SafetySetting(**dict(one)) for one in ", *made, "]"]


def merged_with(job: Job, model: ast.expr | None, call: ast.expr | None) -> list[Part] | None:
    """A call's settings put into the model's, category by category; None if nothing is to merge.

    ``job`` is told where that cannot be done in the text.
    """
    if model is None or call is None:
        return None
    if _complete(job, call):
        return converted(job, call)
    if isinstance(model, ast.Dict) and isinstance(call, ast.Dict):
        changed = {_category(job, key): value for key, value in _items(call)}
        parts: list[Part] = ["["]
        for key, value in _items(model):
            parts += [*_setting(job, key, changed.pop(_category(job, key), value)), ", "]
        for key, value in _items(call):
            if _category(job, key) in changed:
                parts += [*_setting(job, key, value), ", "]
        return [*parts[:-1], "]"]
    job.assisted(call, "safety", "the old SDK put these safety_settings into the model's; now "
                 "they replace them")  # fmt: skip
    return converted(job, call)


def _complete(job: Job, node: ast.expr) -> bool:
    """Whether it says something of every category."""
    if _threshold(job, node) is not None:
        return True
    found = {_category(job, key) for key, _ in _items(node)}
    return all(any(name in one for one in found) for name in old_sdk.ALL_CATEGORIES)


def _items(node: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    """Categories and thresholds of a literal."""
    if isinstance(node, ast.Dict):
        return [(k, v) for k, v in zip(node.keys, node.values, strict=True) if k is not None]
    found: list[tuple[ast.expr, ast.expr]] = []
    for one in getattr(node, "elts", ()):
        if isinstance(one, ast.Dict):
            said = {k.value: v for k, v in zip(one.keys, one.values, strict=True)
                    if isinstance(k, ast.Constant)}  # fmt: skip
            if "category" in said and "threshold" in said:
                found.append((said["category"], said["threshold"]))
    return found


def _category(job: Job, node: ast.expr) -> str:
    """The category's name where it is known, else its code."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            return old_sdk.CATEGORIES.get(node.value.lower(), node.value)
        number = node.value if isinstance(node.value, int) else -1
        return old_sdk.CATEGORY_NUMBERS.get(number, str(node.value))
    code = job.code(node)
    return code.rpartition(".")[2] if isinstance(node, ast.Attribute) else code


def _threshold(job: Job, node: ast.expr) -> list[Part] | None:
    """One threshold for all categories, as the new SDK calls it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int):
        name = _threshold_name(node.value)
        return None if name is None else [f'"{name}"']
    symbol = job.kinds.symbol(node) or ""
    if "HarmBlockThreshold." in symbol:
        return [job.span(node)]
    return None


def _threshold_name(value: str | int) -> str | None:
    if isinstance(value, str):
        return old_sdk.THRESHOLDS.get(value.lower())
    return old_sdk.THRESHOLD_NUMBERS.get(value)


def _everywhere(job: Job, threshold: list[Part]) -> list[Part]:
    names = ", ".join(f'"{name}"' for name in old_sdk.ALL_CATEGORIES)
    setting = f"{job.types}.SafetySetting(category=c, threshold="
    return [f"[{setting}", *threshold, f") for c in ({names})]"]


def _of_pairs(job: Job, node: ast.Dict) -> list[Part]:
    parts: list[Part] = []
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            setting = f"{job.types}.SafetySetting(category=c, threshold=t)"
            return [f"[{setting} for c, t in ", job.span(node), ".items()]"]
        parts += [*([", "] if parts else []), *_setting(job, key, value)]
    if len(node.keys) < 2:
        return ["[", *parts, "]"]
    indent = job.source.indent(job.span(node).start)
    newline = f"{job.source.newline}{indent}    "
    spread: list[Part] = [newline if part == ", " else part for part in parts]
    lines: list[Part] = []
    for part in spread:
        lines += [",", part] if part == newline else [part]
    return ["[", newline, *lines, f",{job.source.newline}{indent}]"]


def _setting(job: Job, category: ast.expr, threshold: ast.expr) -> list[Part]:
    return [f"{job.types}.SafetySetting(category=", *_word(job, category, _category_name),
            ", threshold=", *_word(job, threshold, _threshold_name), ")"]  # fmt: skip


def _category_name(value: str | int) -> str | None:
    if isinstance(value, str):
        return old_sdk.CATEGORIES.get(value.lower())
    return old_sdk.CATEGORY_NUMBERS.get(value)


def _word(job: Job, node: ast.expr, name: Callable[[str | int], str | None]) -> list[Part]:
    """A literal as the new SDK calls it, which takes any text and only warns."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int):
        new = name(node.value)
        if new is None:
            job.assisted(node, "safety", f"there is no {node.value!r} among safety settings")
        elif new != node.value:
            return [f'"{new}"']
    return [job.span(node)]


def _names_of(job: Job, node: ast.expr) -> None:
    """Write the new SDK's names into a literal, where it stands."""
    words: list[tuple[ast.expr, Callable[[str | int], str | None]]] = []
    for category, threshold in _items(node):
        words += [(category, _category_name), (threshold, _threshold_name)]
    for word, name in words:
        new = _word(job, word, name)
        if new != [job.span(word)]:
            job.edits.replace(word, *new)
