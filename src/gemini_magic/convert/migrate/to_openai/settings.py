"""The old SDK's settings, system instructions and tools as arguments of the chat endpoint."""

from __future__ import annotations

import ast

from gemini_magic.convert.migrate.settings import Old
from gemini_magic.convert.migrate.source import Part
from gemini_magic.convert.migrate.to_openai.target import Target

#: Settings by their new names; None: there is none.
NAMES = {
    "temperature": "temperature", "top_p": "top_p", "top_k": None, "candidate_count": "n",
    "max_output_tokens": "max_tokens", "stop_sequences": "stop", "seed": "seed",
    "presence_penalty": "presence_penalty", "frequency_penalty": "frequency_penalty",
    "response_logprobs": "logprobs", "logprobs": "top_logprobs",
}  # fmt: skip
_FORMATS = ("response_mime_type", "response_schema")
_NO_FUNCTION = ("code_execution", "google_search_retrieval", "google_search")

#: Arguments by name; "**" spreads a dict.
Items = list[tuple[str, list[Part]]]


def items(target: Target, old: Old, *, system: bool = True) -> Items:
    """What was given to a model or to a call, in the order in which it takes effect."""
    job = target.job
    found: Items = []
    if system and old.system is not None:
        if target.surely_text(old.system):
            content: list[Part] = [job.whole(old.system)]
        else:
            content = [
                f"{target.function('as_messages')}(",
                job.whole(old.system),
                ')[0]["content"]',
            ]
        found.append(("messages", ['[{"role": "system", "content": ', *content, "}]"]))
    if old.generation is not None:
        found += _generation(target, old.generation, system=system)
    if old.tools is not None and _functions(target, old.tools):
        found.append(("tools", [f"{target.function('as_tools')}(", job.whole(old.tools), ")"]))
    if old.tool_config is not None:
        found.append(("tool_choice", [f"{target.function('as_tool_choice')}(",
                                      job.whole(old.tool_config), ")"]))  # fmt: skip
    if old.safety is not None:
        job.assisted(old.safety, "safety", "safety_settings were taken out: OpenAI's chat endpoint "
                     "has none")  # fmt: skip
    if old.request is not None:
        found += _timeout(target, old.request)
    return found


def _generation(target: Target, node: ast.expr, *, system: bool) -> Items:
    pairs = _pairs(target, node)
    if pairs is None:
        for value in target.job.kinds.values(node):
            told = _pairs(target, value) or {}
            if "top_k" in told:
                target.job.assisted(node, "settings", "top_k is taken out: OpenAI's chat endpoint "
                                    "has none")  # fmt: skip
        return [("**", [f"{target.function('as_settings')}(", target.job.whole(node), ")"])]
    found: Items = []
    formats: list[list[Part]] = []
    for name, value in pairs.items():
        span = target.job.whole(value)
        if name in _FORMATS and not (system and _is_plain(value)):
            formats.append([f'"{name}": ', span])
        elif name in _FORMATS:
            continue  # a model's answers are texts unless it says otherwise
        elif (new := NAMES.get(name)) is not None:
            found.append((new, [span]))
        else:
            target.job.assisted(node, "settings", f"{name} was taken out: OpenAI's chat endpoint "
                                "has none")  # fmt: skip
    if formats:
        parts: list[Part] = []
        for one in formats:
            parts += [*([", "] if parts else []), *one]
        found.append(("**", [f"{target.function('as_settings')}({{", *parts, "})"]))
    return found


def _is_plain(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == "text/plain"


def _pairs(target: Target, node: ast.expr) -> dict[str, ast.expr] | None:
    """The settings that are written down at this place; None where they are not."""
    if isinstance(node, ast.Dict):
        found: dict[str, ast.expr] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
                return None
            found[key.value] = value
        return found
    if not isinstance(node, ast.Call) or node.args or not _makes(target, node):
        return None
    if all(one.arg for one in node.keywords):
        return {str(one.arg): one.value for one in node.keywords}
    return None


def _makes(target: Target, call: ast.expr) -> bool:
    plain = isinstance(func := getattr(call, "func", None), ast.Name) and func.id == "dict"
    return plain or target.job.kinds.tag(call) == "settings"


def _functions(target: Target, node: ast.expr) -> bool:
    """Whether these tools are functions; what else they are is taken out."""
    for value in target.job.kinds.values(node):
        for one in value.elts if isinstance(value, ast.List | ast.Tuple) else [value]:
            words = [each.value for each in ast.walk(one) if isinstance(each, ast.Constant)]
            if set(words) & set(_NO_FUNCTION) or (isinstance(one, ast.Dict) and not words):
                target.job.assisted(node, "tools", "these tools were taken out: OpenAI's chat "
                                    "endpoint has functions alone")  # fmt: skip
                return False
    return True


def _timeout(target: Target, node: ast.expr) -> Items:
    found: Items = []
    pairs = _pairs(target, node)
    for name, value in (pairs or {}).items():
        if name == "timeout":
            found.append(("timeout", [target.job.whole(value)]))
    if pairs is None or set(pairs) - {"timeout"}:
        target.job.assisted(node, "request-options", "request_options was taken out but for its "
                            "timeout; retries are OpenAI(max_retries=...)")  # fmt: skip
    return found


def as_pairs(found: Items) -> list[list[Part]]:
    """As items of a dict."""
    return [["**", *parts] if name == "**" else [f'"{name}": ', *parts] for name, parts in found]


def as_keywords(found: Items) -> list[list[Part]]:
    """As arguments of a call."""
    return [["**", *parts] if name == "**" else [f"{name}=", *parts] for name, parts in found]
