"""Prompts: texts, pictures, files and histories in the forms that the new SDK takes.

It takes texts, ``PIL`` images, files and ``types.Part`` where the old one did. It takes neither
texts as the parts of a dict (``{"role": ..., "parts": ["text"]}``) nor blobs as dicts
(``{"mime_type": ..., "data": ...}``).
"""

from __future__ import annotations

import ast

from gemini_magic.convert.migrate import arguments
from gemini_magic.convert.migrate.job import Job
from gemini_magic.convert.migrate.source import Part, Span

_WRAPPED = {
    "protos.Blob": "inline_data", "protos.FileData": "file_data",
    "protos.FunctionCall": "function_call", "protos.FunctionResponse": "function_response",
}  # fmt: skip


def convert(job: Job, node: ast.expr, *, message: bool = False) -> None:
    """Change what is given as a prompt, where that cannot stay as it is."""
    if isinstance(node, ast.Tuple):
        span = job.span(node)
        if job.source.text[span.start] == "(" and len(node.elts) > 1:
            job.edits.replace(Span(span.start, span.start + 1), "[")
            job.edits.replace(Span(span.end - 1, span.end), "]")
    for value in job.kinds.values(node):
        if isinstance(value, ast.List | ast.Tuple):
            for one in value.elts:
                _bare(job, one)
        else:
            _bare(job, value)
        if message and isinstance(value, ast.Dict) and "parts" in _keys(value):
            job.assisted(node, "contents", "send_message takes parts, not a content with a role")
    if message and (job.kinds.symbol(getattr(node, "func", node)) or "") == "protos.Content":
        job.edits.replace(node, job.span(node), ".parts")


def _bare(job: Job, node: ast.expr) -> None:
    """Things that were parts by themselves are put into one."""
    if isinstance(node, ast.Call) and node not in job.wrapped:
        field = _WRAPPED.get(job.kinds.symbol(node.func) or "")
        if field is not None:
            job.wrapped.add(node)
            job.edits.replace(node, f"{job.types}.Part({field}=", job.span(node), ")")


def rewrite(job: Job) -> None:
    """Change blobs and contents that are dicts, wherever in the program they are written down."""
    for node in job.each(ast.Dict):
        keys = _keys(node)
        if keys == {"mime_type", "data"}:
            _blob(job, node)
        elif "parts" in keys and keys <= {"role", "parts"}:
            _content(job, node)
    for call in job.each(ast.Call):
        if job.kinds.symbol(call.func) == "protos.Content":
            _parts_of(job, call)


def _keys(node: ast.Dict) -> set[object]:
    return {key.value if isinstance(key, ast.Constant) else None for key in node.keys}


def _value(node: ast.Dict, name: str) -> ast.expr:
    return next(value for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant) and key.value == name)  # fmt: skip


def _blob(job: Job, node: ast.Dict) -> None:
    """``{"mime_type": m, "data": d}``."""
    data = _value(node, "data")
    plain = _decoded(job, data)
    if plain is not None:
        job.edits.replace(data, job.span(plain))
        job.done(node, "blob")
    if _in_part(job, node):
        return
    if _looked_into(job, node, ("mime_type", "data")):
        job.assisted(node, "blob", "a picture has to be types.Part.from_bytes(data=..., "
                     "mime_type=...) in a prompt; this dict is used otherwise, too")  # fmt: skip
        return
    arguments.of_literal(job, node, f"{job.types}.Part.from_bytes")
    if plain is None:
        job.done(node, "blob")


def _decoded(job: Job, node: ast.expr) -> ast.expr | None:
    """What was encoded as Base64: the old SDK decoded texts, the new one wants the bytes."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in ("decode",):
            node = node.func.value
            continue
        dotted = job.kinds.dotted(node.func) or ""
        if dotted in ("base64.b64encode", "base64.standard_b64encode") and node.args:
            return node.args[0]
        break
    return None


def _looked_into(job: Job, node: ast.expr, names: tuple[str, ...]) -> bool:
    """Whether the variable that a dict is put into is read by key, or is a part of a dict."""
    parent = job.scopes.parent.get(node)
    if not isinstance(parent, ast.Assign) or not isinstance(parent.targets[0], ast.Name):
        return False
    name = parent.targets[0].id
    return any(
        isinstance(one.value, ast.Name) and one.value.id == name
        and isinstance(one.slice, ast.Constant) and one.slice.value in names
        for one in job.each(ast.Subscript)
    )  # fmt: skip


def _in_part(job: Job, node: ast.expr) -> bool:
    """Whether a blob is, or its variable is, the ``inline_data`` of a dict."""
    parent = job.scopes.parent.get(node)
    name = None
    if isinstance(parent, ast.Assign) and isinstance(parent.targets[0], ast.Name):
        name = parent.targets[0].id
    return any(
        value is node or (isinstance(value, ast.Name) and value.id == name)
        for one in job.each(ast.Dict)
        for key, value in zip(one.keys, one.values, strict=True)
        if isinstance(key, ast.Constant) and key.value == "inline_data"
    )


def _content(job: Job, node: ast.Dict) -> None:
    """``{"role": r, "parts": p}``."""
    parts = _value(node, "parts")
    elements = parts.elts if isinstance(parts, ast.List | ast.Tuple) else [parts]
    listed = isinstance(parts, ast.List | ast.Tuple)
    unknown = [one for one in elements if not _is_part(job, one)]
    if unknown and not _reads(job, ("parts", "role")) and _as_object(job, node, parts):
        job.done(node, "content")
        return
    if unknown:
        job.edits.replace(parts, f"{job.types}.UserContent(parts=", job.span(parts), ").parts")
    else:
        for one in elements:
            if (new := _as_part(job, one)) is not None:
                job.edits.replace(job.whole(one), *([] if listed else ["["]), *new,
                                  *([] if listed else ["]"]))  # fmt: skip
    if _reads(job, ("parts",)):
        job.assisted(node, "content", "the parts of a content are no longer the texts themselves")
    else:
        job.done(node, "content")


def _reads(job: Job, names: tuple[str, ...]) -> bool:
    """Whether contents, or what looks like them, are read by key somewhere."""
    return any(
        isinstance(one.slice, ast.Constant) and one.slice.value in names
        and isinstance(one.ctx, ast.Load)
        for one in job.each(ast.Subscript)
    )  # fmt: skip


def _is_part(job: Job, node: ast.expr) -> bool:
    """Whether it is known what to do with it as a part of a dict."""
    tag = job.kinds.tag(node)
    return isinstance(node, ast.Dict) or tag in ("text", "part", "file") or _is_wrapped(job, node)


def _is_wrapped(job: Job, node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and (job.kinds.symbol(node.func) or "") in _WRAPPED


def _as_part(job: Job, node: ast.expr) -> list[Part] | None:
    """What stands for a part; None if it stays."""
    tag = job.kinds.tag(node)
    span = job.whole(node)
    if tag == "text":
        return ['{"text": ', span, "}"]
    if tag == "file":
        one = job.code(node)
        return [f"{job.types}.Part.from_uri(file_uri=", span, ".uri, mime_type=",
                f"{one}.mime_type)"]  # fmt: skip
    if _is_wrapped(job, node) and node not in job.wrapped:
        _bare(job, node)
    return None


def _as_object(job: Job, node: ast.Dict, parts: ast.expr) -> bool:
    """The dict as ``types.UserContent`` or ``ModelContent``, which take parts as they come."""
    if "role" not in _keys(node):
        role = "user"
    else:
        given = _value(node, "role")
        if not isinstance(given, ast.Constant) or given.value not in ("user", "model"):
            return False
        role = given.value
    name = {"user": "UserContent", "model": "ModelContent"}[role]
    job.edits.replace(node, f"{job.types}.{name}(parts=", job.span(parts), ")")
    return True


def _parts_of(job: Job, call: ast.Call) -> None:
    """``protos.Content(parts=[...])``, whose parts may be texts no longer."""
    for keyword in call.keywords:
        if keyword.arg == "parts" and isinstance(keyword.value, ast.List):
            for one in keyword.value.elts:
                if job.kinds.tag(one) == "text":
                    job.edits.replace(job.whole(one), f"{job.types}.Part(text=", job.whole(one),
                                      ")")  # fmt: skip
                else:
                    _bare(job, one)
