"""What programs read of an answer: its text, its parts, what was blocked, a chat's history."""

from __future__ import annotations

import ast

from gemini_magic.convert.migrate import old_sdk
from gemini_magic.convert.migrate.job import Job
from gemini_magic.convert.migrate.source import Part, Span

#: What variables of chats are called.
_CHATS = ("chat", "convo", "session")
#: Where an operator needs no parentheses.
ENCLOSING = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return, ast.keyword, ast.FormattedValue,
              ast.List, ast.Tuple, ast.Set, ast.Dict, ast.Yield, ast.Lambda, ast.Assert,
              ast.ListComp, ast.GeneratorExp)  # fmt: skip
#: Lists of an answer that may be None.
_LISTS = {"candidates", "parts", "safety_ratings"}
#: What changes a list in place.
_CHANGES = {"append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"}
_PART_FIELDS = {"text", "inline_data", "function_call", "function_response", "file_data",
                "executable_code", "code_execution_result"}  # fmt: skip


def rewrite(job: Job) -> None:
    """Change what is read of answers, files and chats."""
    for node in job.each(ast.Attribute):
        tag = job.kinds.tag(node.value)
        match tag, node.attr:
            case (("answer" | "either"), ("text" | "result")):  # the latter is PaLM's
                _text(job, node)
            case "stream", ("text" | "parts" | "candidates" | "usage_metadata"):
                job.left(node, "stream", "a stream has no text of its own now: put the texts of "
                         "its chunks together")  # fmt: skip
            case (("stream" | "answer"), "resolve"):
                resolve(job, node, tag)
            case "call", ("name" | "args") if is_asked(job, node):
                _perhaps(job, node, "function_call")
            case "answer", ("to_dict" | "_result"):
                _dumped(job, node)
            case "feedback", _:
                _perhaps(job, node, "prompt_feedback")
            case "chat", "history":
                _history(job, node)
            case "chat", ("last" | "rewind" | "_history"):
                job.left(node, "chat", f"a chat has no {node.attr} now; keep it yourself")
            case "chat", "model":
                job.left(node, "chat", "a chat does not know its model now")
            case (("" | "symbol"), "history") if not job.kinds.held(node.value) and _named_chat(
                node.value
            ):
                job.left(node, "history", "if this is a chat, it is get_history() now")
            case "model", "model_name" | "_model_name":
                _model_name(job, node)
            case "file", ("to_dict" | "delete"):
                pass  # calls, below
            case _, "supported_generation_methods":
                name = job.span(node).end - len(node.attr)
                job.edits.replace(type(job.span(node))(name, job.span(node).end),
                                  "supported_actions")  # fmt: skip
                job.done(node, "list_models")
    loops: list[ast.For | ast.comprehension] = [*job.each(ast.For), *job.each(ast.comprehension)]
    for loop in loops:
        chunks(job, loop.iter)
        _perhaps_none(job, loop.iter)
    for compare in job.each(ast.Compare):
        _membership(job, compare)
        _numbers(job, compare)
    for call in job.each(ast.Call):
        _to_dict(job, call)


def _named_chat(node: ast.expr) -> bool:
    """Whether something unknown is called as chats are."""
    name = getattr(node, "attr", getattr(node, "id", ""))
    return name != "session_state" and any(word in name.lower() for word in _CHATS)


def _text(job: Job, node: ast.Attribute) -> None:
    """The text is None where there is none; the old SDK raised ``ValueError``."""
    if not isinstance(node.ctx, ast.Load):
        return
    parent = job.scopes.parent[node]
    quotes = job.quote(node) * 2
    if raises(job, node):
        job.assisted(node, "text", "an answer without text has the text None now, and raises no "
                     "ValueError")  # fmt: skip
    said: list[Part] = [job.span(node)]
    if node.attr != "text":
        said = [*job.atom(node.value), ".text"]
    if _may_be_none(node, parent):
        if node.attr != "text":
            job.replace(node, *said)
        return
    bare = isinstance(parent, ENCLOSING) or (isinstance(parent, ast.Call) and node in parent.args)
    said.append(f" or {quotes}")
    job.replace(node, *(said if bare else ["(", *said, ")"]))
    job.done(node, "text")


def _may_be_none(node: ast.Attribute, parent: ast.AST) -> bool:
    """Whether what stands around a text is content with None."""
    if isinstance(parent, ast.BoolOp | ast.UnaryOp | ast.Expr):
        return True
    if getattr(parent, "test", None) is node:  # if, while, assert
        return True
    return isinstance(parent, ast.Compare) and any(
        isinstance(op, ast.Is | ast.IsNot) for op in parent.ops
    )


def chunks(job: Job, node: ast.expr) -> None:
    """The old SDK's whole answers could be looped over like streams, as one piece."""
    if job.kinds.tag(node) == "answer" and job.replace(node, "[", job.span(node), "]"):
        job.done(node, "answer")


def _perhaps_none(job: Job, node: ast.expr) -> None:
    """Lists that were empty where there is nothing are None now."""
    if not isinstance(node, ast.Attribute) or node.attr not in _LISTS:
        return
    of_answer = job.kinds.tag(node.value) == "answer"
    of_content = node.attr == "parts" and getattr(node.value, "attr", "") == "content"
    if (of_answer or of_content or node.attr == "safety_ratings") and job.replace(
        node, "(", job.span(node), " or [])"
    ):
        job.done(node, "answer")


def raises(job: Job, node: ast.AST) -> bool:
    """Whether a ``ValueError`` is waited for around it."""
    inner: ast.AST = node
    for one in job.scopes.ancestors(node):
        if isinstance(one, ast.Try) and inner in one.body:
            for handler in one.handlers:
                if handler.type is not None and any(
                    isinstance(name, ast.Name) and name.id == "ValueError"
                    for name in ast.walk(handler.type)
                ):
                    return True
        inner = one
    return False


def resolve(job: Job, node: ast.Attribute, tag: str) -> None:
    """Waiting for a stream that is no stream any more is nothing to do."""
    statement = job.scopes.statement(node)
    if tag != "answer" or not isinstance(statement, ast.Expr):
        job.left(node, "stream", "there is nothing to resolve now: use the stream's chunks, or ask "
                 "without a stream")  # fmt: skip
        return
    span, text = job.span(statement), job.source.text
    start = job.source.line_start(span.start)
    end = len(text) if (found := text.find("\n", span.end)) < 0 else found + 1
    parent = job.scopes.parent[statement]
    only = any(value == [statement] for _, value in ast.iter_fields(parent))
    if only or text[start : span.start].strip() or text[span.end : end].strip():
        job.edits.replace(span, "pass")
    else:
        job.edits.replace(Span(start, end))
    job.done(node, "stream")


def _dumped(job: Job, node: ast.Attribute) -> None:
    parent = job.scopes.parent[node]
    if node.attr == "to_dict" and isinstance(parent, ast.Call) and parent.func is node:
        if job.replace(parent, job.span(node.value), '.model_dump(mode="json", exclude_none=True)'):
            job.assisted(node, "to_dict", "enumerations are their names in this dict, no longer "
                         "numbers")  # fmt: skip
    else:
        job.left(node, "to_dict", f"{node.attr} is the answer itself now")


def _perhaps(job: Job, node: ast.Attribute, rule: str) -> None:
    """What it is read of is None where there is none; the old SDK had an empty one."""
    base = job.span(node.value)
    if job.replace(node, "(", base, " and ", base, f".{node.attr})"):
        job.done(node, rule)


def is_asked(job: Job, node: ast.Attribute) -> bool:
    """Whether it stands where something is decided."""
    parent = job.scopes.parent[node]
    if isinstance(parent, ast.Compare | ast.BoolOp | ast.UnaryOp):
        return True
    return getattr(parent, "test", None) is node


def _history(job: Job, node: ast.Attribute) -> None:
    parent = job.scopes.parent[node]
    if not isinstance(node.ctx, ast.Load):
        job.left(node, "history", "a chat's history cannot be set now: make a new chat with "
                 "history=...")  # fmt: skip
        return
    changes = (
        (isinstance(parent, ast.Attribute) and parent.attr in _CHANGES)
        or (isinstance(parent, ast.Subscript) and not isinstance(parent.ctx, ast.Load))
        or isinstance(parent, ast.AugAssign)
    )
    if changes:
        job.left(node, "history", "a chat's history cannot be changed now: make a new chat with "
                 "history=...")  # fmt: skip
        return
    if job.replace(node, job.span(node.value), ".get_history()"):
        job.done(node, "history")


def _model_name(job: Job, node: ast.Attribute) -> None:
    q = job.quote(node)
    suffix = f"[{q}model{q}]" if job.travelling else ""
    if job.replace(node, job.span(node.value), suffix):
        job.done(node, "model")


def _membership(job: Job, node: ast.Compare) -> None:
    """``"text" in part``."""
    if len(node.ops) != 1 or not isinstance(node.ops[0], ast.In | ast.NotIn):
        return
    name, part = node.left, node.comparators[0]
    if not isinstance(name, ast.Constant) or name.value not in _PART_FIELDS:
        return
    if job.kinds.tag(part) != "part":
        return
    word = "is not None" if isinstance(node.ops[0], ast.In) else "is None"
    if job.replace(node, "(", job.span(part), f".{name.value} {word})"):
        job.done(node, "part")


def _numbers(job: Job, node: ast.Compare) -> None:
    """``finish_reason == 3``: enumerations were numbers, and are texts now."""
    sides = [node.left, *node.comparators]
    fields = [getattr(one, "attr", "") for one in sides]
    field = next((one for one in fields if one in old_sdk.ENUMERATIONS), None)
    if field is None or len(sides) != 2:
        return
    name, members = old_sdk.ENUMERATIONS[field]
    for side in sides:
        elements = side.elts if isinstance(side, ast.List | ast.Tuple | ast.Set) else [side]
        for one in elements:
            if not isinstance(one, ast.Constant) or type(one.value) is not int:
                continue
            if not 0 <= one.value < len(members):
                job.assisted(node, "enumeration", f"{field} is a {name} now, no number")
            elif job.replace(one, f"{job.types}.{name}.{members[one.value]}"):
                job.done(node, "enumeration")


def of_type(call: ast.Call) -> bool:
    """Whether it is ``type(x).to_dict(x)``."""
    func = call.func
    if not isinstance(func, ast.Attribute) or func.attr != "to_dict" or not call.args:
        return False
    maker = func.value
    return (
        isinstance(maker, ast.Call) and isinstance(maker.func, ast.Name) and maker.func.id == "type"
    )


def _to_dict(job: Job, call: ast.Call) -> None:
    if of_type(call) and job.replace(
        call, job.span(call.args[0]), ".model_dump(exclude_none=True)"
    ):
        job.done(call, "to_dict")
