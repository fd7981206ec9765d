"""Models, the calls that ask them, and chats."""

from __future__ import annotations

import ast

from gemini_magic.convert.migrate import arguments, chats, old_sdk
from gemini_magic.convert.migrate.calls import references, streamed
from gemini_magic.convert.migrate.models import automatic
from gemini_magic.convert.migrate.settings import Old
from gemini_magic.convert.migrate.source import Part
from gemini_magic.convert.migrate.to_openai import settings
from gemini_magic.convert.migrate.to_openai.target import Target, flat


def rewrite(target: Target) -> None:
    """A model becomes a dict of a request's arguments, wherever it is made."""
    job = target.job
    awaited = chats.directions(job)
    for call in target.models.given:
        _model(target, call)
    for call in job.each(ast.Call):
        if job.kinds.symbol(call.func) == "ChatSession":
            _start(target, call, None, awaited=awaited.get(call, False))
        elif isinstance(call.func, ast.Attribute):
            func = call.func
            base = job.kinds.tag(func.value)
            if not base and target.models.uses.foreign(func):
                continue
            match base, func.attr:
                case (("model" | ""), ("generate_content" | "generate_content_async")):
                    _generate(target, call, func)
                case (("model" | ""), "start_chat"):
                    _start(target, call, func, awaited=awaited.get(call, False))
                case "chat", ("send_message" | "send_message_async"):
                    _send(target, call, func)
                case "model", ("count_tokens" | "count_tokens_async"):
                    job.left(call, "count_tokens", "OpenAI's services do not count tokens ahead; "
                             "an answer's usage tells")  # fmt: skip
                case "symbol", ("generate_content" | "start_chat") if (
                    job.kinds.symbol(func.value) is None
                ):
                    job.left(call, "model", f"{job.code(func.value)} comes of another file; if it "
                             "is a model, it is a dict there now")  # fmt: skip
    for func in references(job):
        _reference(target, func)
    for func in chats.references(job):
        if target.replace(func, *job.atom(func.value), ".send"):
            job.done(func, "send_message")


def _reference(target: Target, func: ast.Attribute) -> None:
    """A model's method that is handed on."""
    job = target.job
    if not func.attr.startswith("generate_content"):
        job.left(func, "method", f"{func.attr} is handed on: hand on a function instead")
        return
    client = target.client(awaited=func.attr.endswith("_async"))
    asked: list[Part] = [f"**{target.function('chat_request')}(", job.whole(func.value),
                         ", contents)"]  # fmt: skip
    made: list[Part] = [f"lambda contents: {client}.chat.completions.create(", *asked, ")"]
    alone = isinstance(job.scopes.parent.get(func), ast.Assign | ast.keyword | ast.Call)
    if target.replace(func, *(made if alone else ["(", *made, ")"])):
        job.assisted(func, "method", "this function takes the contents alone: no settings, and no "
                     "stream; it gives an answer of openai's")  # fmt: skip


def _model(target: Target, call: ast.Call) -> None:
    job = target.job
    given = target.models.given[call]
    if "cached_content" in given:
        job.left(call, "model", "OpenAI's services have no caches with names")
        return
    name = given.get("model_name")
    text: list[Part]
    if name is None:
        text = [f'"{old_sdk.DEFAULT_MODEL}"']
    elif isinstance(name, ast.Constant) and str(name.value).startswith("models/"):
        text = [f'"{str(name.value).removeprefix("models/")}"']
    else:
        text = [job.whole(name)]
    made = settings.items(target, target.models.old(call))
    target.keep_comments(call, given.values())
    pieces = settings.as_pairs([("model", text), *made])
    if len(job.code(call)) < 70 and "\n" not in job.code(call):
        parts: list[Part] = ["{", *flat(pieces), "}"]
    else:
        newline = job.source.newline + job.source.indent(job.span(call).start)
        parts = ["{"]
        for piece in pieces:
            parts += [f"{newline}    ", *piece, ","]
        parts.append(f"{newline}}}")
    if target.replace(call, *parts):
        job.done(call, "model")


def _generate(target: Target, call: ast.Call, func: ast.Attribute) -> None:
    job, rule = target.job, "generate_content"
    given = arguments.bound(call, ("contents",))
    if given is None or "contents" not in given:
        job.left(call, rule, "the arguments of this call are hidden by * or **")
        return
    made = target.models.uses.made_of(func.value)
    if isinstance(func.value, ast.Call) and func.value in target.models.given:
        made = (func.value,)
    if not made and not job.kinds.tag(func.value):
        job.assisted(func, rule, f"{job.code(func.value)} has to be a dict of arguments "
                     "here, as this file's models are")  # fmt: skip
    own = settings.items(target, Old.of(given), system=False)
    model: list[Part] = [job.whole(func.value)]
    contents = given["contents"]
    olds = [target.models.old(one) for one in made]
    simple = bool(made) and all(one.system is None for one in olds)
    if own and any(olds):
        simple = False  # the same setting may be in both
    arguments_: list[list[Part]]
    if simple:
        messages: list[Part]
        if target.surely_text(contents):
            messages = ['[{"role": "user", "content": ', job.whole(contents), "}]"]
        else:
            messages = [f"{target.function('as_messages')}(", job.whole(contents), ")"]
        arguments_ = [["**", *model], ["messages=", *messages], *settings.as_keywords(own)]
    else:
        inner: list[list[Part]] = [model, [job.whole(contents)], *settings.as_keywords(own)]
        arguments_ = [["**", f"{target.function('chat_request')}(", *flat(inner), ")"]]
    arguments_ += _stream(target, call)
    target.keep_comments(call, given.values())
    client = target.client(awaited=func.attr.endswith("_async"))
    if target.replace(call, f"{client}.chat.completions.create(", *flat(arguments_), ")"):
        job.done(call, rule)


def _stream(target: Target, call: ast.Call) -> list[list[Part]]:
    chosen = streamed(target.job, call)
    if isinstance(chosen, bool):
        return [["stream=True"]] if chosen else []
    return [["stream=", target.job.whole(chosen)]]


def _start(target: Target, call: ast.Call, func: ast.Attribute | None, *, awaited: bool) -> None:
    job, rule = target.job, "start_chat"
    given = arguments.bound(call, ("history",) if func is not None else ("model", "history"))
    model = func.value if func is not None else (given or {}).get("model")
    if given is None or model is None:
        job.left(call, rule, "the arguments of this call are hidden by * or **")
        return
    if automatic(call):
        job.assisted(call, rule, "functions are not called by themselves now: look at the answer's "
                     "tool_calls, call them, and send their results")  # fmt: skip
    history = given.get("history")
    more: list[list[Part]] = []
    if history is not None and not _empty(history):
        more = [["history=", job.whole(history)]]
    target.keep_comments(call, given.values())
    name = target.function("AsyncChat" if awaited else "Chat")
    client = target.client(awaited=awaited)
    asked: list[list[Part]] = [[client], [job.whole(model)], *more]
    if target.replace(call, f"{name}(", *flat(asked), ")"):
        job.done(call, rule)


def _empty(node: ast.expr) -> bool:
    nothing = isinstance(node, ast.Constant) and node.value is None
    return nothing or (isinstance(node, ast.List) and not node.elts)


def _send(target: Target, call: ast.Call, func: ast.Attribute) -> None:
    job, rule = target.job, "send_message"
    given = arguments.bound(call, ("content",))
    if given is None or "content" not in given:
        job.left(call, rule, "the arguments of this call are hidden by * or **")
        return
    own = settings.items(target, Old.of(given), system=False)
    target.keep_comments(call, given.values())
    parts: list[list[Part]] = [
        [job.whole(given["content"])],
        *settings.as_keywords(own),
        *_stream(target, call),
    ]
    if target.replace(call, job.whole(func.value), ".send(", *flat(parts), ")"):
        job.done(call, rule)
