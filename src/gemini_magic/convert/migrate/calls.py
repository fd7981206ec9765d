"""Calls that ask a model: generate_content, count_tokens."""

from __future__ import annotations

import ast

from gemini_magic.convert.migrate import arguments, contents, old_sdk, safety, settings
from gemini_magic.convert.migrate.job import Job
from gemini_magic.convert.migrate.models import Models, Receiver
from gemini_magic.convert.migrate.source import Part

CONFIG = (*settings.FIELDS, "stream")


def rewrite(job: Job, models: Models) -> None:
    """Change all calls of models."""
    for call in job.each(ast.Call):
        if isinstance(call.func, ast.Attribute):
            base = job.kinds.tag(call.func.value)
            if not base and models.uses.foreign(call.func):
                continue
            if base == "symbol":
                _imported(job, call, call.func)
            match base, call.func.attr:
                case (("model" | ""), ("generate_content" | "generate_content_async")):
                    _generate(job, models, call, call.func)
                case "model", ("count_tokens" | "count_tokens_async"):
                    _count(job, models, call, call.func)
    for func in references(job):
        _reference(job, models, func)


def references(job: Job) -> list[ast.Attribute]:
    """A model's methods that are handed on, and called elsewhere."""
    return [
        node for node in job.each(ast.Attribute)
        if node.attr in ("generate_content", "generate_content_async", "start_chat", "count_tokens")
        and job.kinds.tag(node.value) == "model"
        and getattr(job.scopes.parent.get(node), "func", None) is not node
    ]  # fmt: skip


def is_given_contents(call: ast.AST | None) -> bool:
    """Whether what this call hands a function on to gives it contents, and nothing else."""
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name | ast.Attribute):
        return False
    name = call.func.id if isinstance(call.func, ast.Name) else call.func.attr
    known = name in ("map", "to_thread", "run_in_executor", "submit")
    return known and all(one.arg in ("timeout", "chunksize") for one in call.keywords)


def _reference(job: Job, models: Models, func: ast.Attribute) -> None:
    receiver = models.receiver(func.value)
    if receiver is None or not func.attr.startswith("generate_content"):
        job.left(func, "method", f"{func.attr} is handed on: hand on a function that calls the "
                 "client's method")  # fmt: skip
        return
    client = f"{job.client}.aio" if func.attr.endswith("_async") else job.client
    told: list[Part] = ["model=", *receiver.model, ", contents=contents"]
    if receiver.both:
        told = ["contents=contents, ", *receiver.both]
    elif receiver.config is not None:
        told += [", config=", *receiver.config]
    made: list[Part] = [f"lambda contents: {client}.models.generate_content(", *told, ")"]
    parent = job.scopes.parent.get(func)
    alone = isinstance(parent, ast.Assign | ast.keyword | ast.Call)
    if not job.replace(func, *(made if alone else ["(", *made, ")"])):
        return
    if is_given_contents(parent):
        job.done(func, "method")
    else:
        job.assisted(func, "method", "this function takes the contents alone: no settings, and no "
                     "stream")  # fmt: skip


def _imported(job: Job, call: ast.Call, func: ast.Attribute) -> None:
    """A model that another file made, perhaps."""
    if func.attr not in old_sdk.MODEL_METHODS or func.attr == "count_tokens":
        return
    if job.kinds.symbol(func.value) is None:
        job.left(call, "model", f"{job.code(func.value)} comes of another file; if it is a model, "
                 "it is a name and a config there now")  # fmt: skip


def receiver_of(job: Job, models: Models, func: ast.Attribute, rule: str) -> Receiver | None:
    found = models.receiver(func.value)
    if found is None:
        job.left(func, rule, f"it is not known which model {job.code(func.value)} is")
        return None
    if not found.made and not job.kinds.tag(func.value):
        job.assisted(func, rule, f"{job.code(func.value)} has to be a dict with model and config "
                     "here, as this file's models are")  # fmt: skip
    return found


def streamed(job: Job, call: ast.Call) -> ast.expr | bool:
    """Whether an answer is streamed: an expression where that depends."""
    if call in job.kinds.resolved:
        return False
    for keyword in call.keywords:
        if keyword.arg == "stream":
            if isinstance(keyword.value, ast.Constant):
                return bool(keyword.value.value)
            return keyword.value
    return False


def method(job: Job, call: ast.Call, owner: list[Part], name: str) -> None:
    """Call another method; where ``stream`` is an expression, it chooses between two."""
    chosen = streamed(job, call)
    if isinstance(chosen, bool):
        job.replace(call.func, *owner, f".{name}_stream" if chosen else f".{name}")
        return
    job.replace(call.func, "(", *owner, f".{name}_stream if ", job.whole(chosen), " else ",
                *owner, f".{name})")  # fmt: skip


def _generate(job: Job, models: Models, call: ast.Call, func: ast.Attribute) -> None:
    rule = "generate_content"
    given = arguments.bound(call, ("contents",))
    if given is None or "contents" not in given:
        job.left(call, rule, "the arguments of this call are hidden by * or **")
        return
    receiver = receiver_of(job, models, func, rule)
    if receiver is None:
        return
    contents.convert(job, given["contents"])
    client = f"{job.client}.aio" if func.attr.endswith("_async") else job.client
    method(job, call, [f"{client}.models"], "generate_content")
    _rewrite(job, models, call, receiver, settings.Old.of(given), {"contents": "contents"})
    job.done(call, rule)


def _rewrite(
    job: Job,
    models: Models,
    call: ast.Call,
    receiver: Receiver,
    old: settings.Old,
    rename: dict[str, str | None],
) -> None:
    config = call_config(job, models, call, receiver, old)
    if config is None and receiver.both:
        arguments.rewrite(job, call, names=list(rename), rename=rename, drop=CONFIG,
                          more=[receiver.both])  # fmt: skip
        return
    if config is None:
        config = receiver.config
    more = [] if config is None else [["config=", *config]]
    arguments.rewrite(job, call, names=list(rename), rename=rename, drop=CONFIG,
                      lead=[["model=", *receiver.model]], more=more)  # fmt: skip


def call_config(
    job: Job, models: Models, call: ast.Call, receiver: Receiver, old: settings.Old
) -> list[Part] | None:
    """The config of a call that has settings of its own; None where it has none."""
    if not old:
        return None
    indent = job.source.indent(job.span(call).end - 1)
    if receiver.config is None:
        made = settings.created(job, old, indent)
        return None if len(made) == 2 else made  # what was given is gone: empty parentheses
    base: list[Part] = receiver.config
    if receiver.optional:
        base = ["(", *base, f" or {job.types}.GenerateContentConfig())"]
    olds = [models.old(one) for one in receiver.made or models.made]
    theirs = [one.safety for one in olds if one.safety is not None]
    together = None
    if old.safety is not None and theirs:
        if len(olds) == 1:
            together = safety.merged_with(job, theirs[0], old.safety)
        else:
            job.assisted(call, "safety", "the old SDK put these safety_settings into the model's; "
                         "now they replace them")  # fmt: skip
    return settings.merged(job, base, old, indent, together)


def _count(job: Job, models: Models, call: ast.Call, func: ast.Attribute) -> None:
    rule = "count_tokens"
    given = arguments.bound(call, ("contents",))
    receiver = receiver_of(job, models, func, rule)
    if given is None or "contents" not in given or receiver is None:
        if receiver is not None:
            job.left(call, rule, "the arguments of this call are hidden by * or **")
        return
    contents.convert(job, given["contents"])
    client = f"{job.client}.aio" if func.attr.endswith("_async") else job.client
    job.replace(call.func, f"{client}.models.count_tokens")
    arguments.rewrite(job, call, names=["contents"], rename={"contents": "contents"},
                      drop=CONFIG, lead=[["model=", *receiver.model]])  # fmt: skip
    counted = [old for one in receiver.made if (old := models.old(one)).system or old.tools]
    if counted or (models.travelling and not receiver.made):
        job.assisted(call, rule, "the old SDK counted the system instruction and the tools, too")
    else:
        job.done(call, rule)
