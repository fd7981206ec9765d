"""Files, embeddings, lists of models and cached contents: functions that became methods."""

from __future__ import annotations

import ast

from gemini_magic.convert.migrate import arguments, contents, old_sdk
from gemini_magic.convert.migrate.job import Job
from gemini_magic.convert.migrate.source import Part

_EMBED = ("model", "content", "task_type", "title", "output_dimensionality")


def rewrite(job: Job) -> None:
    """Change all calls of these functions, and what is read of their results."""
    for call in job.each(ast.Call):
        match job.kinds.symbol(call.func):
            case "upload_file":
                _upload(job, call)
            case "get_file":
                _named(job, call, "files.get", "name")
            case "delete_file":
                _delete(job, call)
            case "list_files":
                _plain(job, call, "files.list")
            case "list_models":
                _plain(job, call, "models.list")
            case "get_model" | "get_base_model":
                _named(job, call, "models.get", "model")
            case "embed_content":
                _embed(job, call, job.client)
            case "embed_content_async":
                _embed(job, call, f"{job.client}.aio")
        _file_method(job, call)
    for node in job.each(ast.Subscript):
        _vectors(job, node)


def _upload(job: Job, call: ast.Call) -> None:
    given = arguments.bound(call, ("path",))
    if given is None or "path" not in given:
        job.left(call, "upload_file", "the arguments of this call are hidden by * or **")
        return
    job.replace(call.func, f"{job.client}.files.upload")
    told = [(name, given[name]) for name in ("mime_type", "name", "display_name")
            if name in given and not _is_none(given[name])]  # fmt: skip
    more: list[list[Part]] = []
    if told:
        config: list[Part] = [f"config={job.types}.UploadFileConfig("]
        for name, value in told:
            config += [*([", "] if len(config) > 1 else []), f"{name}=", job.whole(value)]
        more = [[*config, ")"]]
    drop = ("mime_type", "name", "display_name", "resumable")
    arguments.rewrite(job, call, names=["path"], rename={"path": "file"}, drop=drop, more=more)
    job.done(call, "upload_file")


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _named(job: Job, call: ast.Call, method: str, keyword: str) -> None:
    given = arguments.bound(call, ("name",))
    if given is None or "name" not in given:
        job.left(call, method, "the arguments of this call are hidden by * or **")
        return
    job.replace(call.func, f"{job.client}.{method}")
    arguments.rewrite(job, call, names=["name"], rename={"name": keyword},
                      drop=("client", "request_options"))  # fmt: skip
    job.done(call, method)


def _delete(job: Job, call: ast.Call) -> None:
    given = arguments.bound(call, ("name",))
    if given is None or "name" not in given:
        job.left(call, "files.delete", "the arguments of this call are hidden by * or **")
        return
    name = given["name"]
    if job.kinds.tag(name) == "file":
        job.edits.replace(name, *job.atom(name), ".name")
    elif job.kinds.tag(name) != "text" and getattr(name, "attr", "") != "name":
        job.assisted(call, "files.delete", "a file's name is wanted here, not the file itself")
    job.replace(call.func, f"{job.client}.files.delete")
    arguments.rewrite(job, call, names=["name"], rename={"name": "name"})
    job.done(call, "files.delete")


def _file_method(job: Job, call: ast.Call) -> None:
    """``file.delete()``."""
    func = call.func
    if not isinstance(func, ast.Attribute) or func.attr != "delete":
        return
    if not call.args and job.kinds.tag(func.value) == "file":
        job.replace(call, f"{job.client}.files.delete(name=", job.span(func.value), ".name)")
        job.done(call, "files.delete")


def _plain(job: Job, call: ast.Call, method: str) -> None:
    given = arguments.bound(call, ("page_size",)) or {}
    job.replace(call.func, f"{job.client}.{method}")
    more: list[list[Part]] = []
    if "page_size" in given:
        more = [['config={"page_size": ', job.whole(given["page_size"]), "}"]]
    arguments.rewrite(job, call, names=["page_size"], more=more,
                      drop=("page_size", "client", "request_options"))  # fmt: skip
    job.done(call, method)


def _embed(job: Job, call: ast.Call, client: str) -> None:
    given = arguments.bound(call, _EMBED)
    if given is None or "content" not in given or "model" not in given:
        job.left(call, "embed_content", "the arguments of this call are hidden by * or **")
        return
    contents.convert(job, given["content"])
    job.replace(call.func, f"{client}.models.embed_content")
    config: list[Part] = []
    for name in _EMBED[2:]:
        if name in given and not _is_none(given[name]):
            value: list[Part] = [job.whole(given[name])]
            if name == "task_type":
                value = _task(job, given[name])
            config += [", " if config else "", f"{name}=", *value]
    more: list[list[Part]] = []
    if config:
        more = [[f"config={job.types}.EmbedContentConfig(", *config, ")"]]
    arguments.rewrite(job, call, names=_EMBED, rename={"model": "model", "content": "contents"},
                      drop=(*_EMBED[2:], "client", "request_options"), more=more)  # fmt: skip
    job.done(call, "embed_content")


def _task(job: Job, node: ast.expr) -> list[Part]:
    if isinstance(node, ast.Constant):
        key = node.value.lower() if isinstance(node.value, str) else node.value
        if key in old_sdk.TASKS:
            return [f'"{old_sdk.TASKS[key]}"']
    symbol = job.kinds.symbol(node) or ""
    if "TaskType." in symbol:
        return [f'"{symbol.rpartition(".")[2]}"']
    values = job.kinds.values(node)
    texts = [one.value for one in values
             if isinstance(one, ast.Constant) and isinstance(one.value, str)]  # fmt: skip
    if len(texts) == len(values) and {one.upper() for one in texts} <= {*old_sdk.TASKS.values()}:
        if all(one.isupper() for one in texts):
            return [job.span(node)]
        return [job.whole(node), ".upper()"]
    job.assisted(node, "embed_content", "task_type has to be one of the API's own names, such as "
                 "RETRIEVAL_DOCUMENT")  # fmt: skip
    return [job.whole(node)]


def _vectors(job: Job, node: ast.Subscript) -> None:
    """``result["embedding"]``."""
    kind = job.kinds.of(node.value)
    if kind is None or kind.tag != "embedding":
        return
    if not isinstance(node.slice, ast.Constant) or node.slice.value != "embedding":
        return
    result: list[Part] = [job.span(node.value)]
    if isinstance(node.value, ast.Await):
        result = [job.whole(node.value)]
    parts: list[Part] = [*result, ".embeddings[0].values"]
    if kind.name == "many":
        parts = ["[one.values for one in ", *result, ".embeddings]"]
    if not job.replace(node, *parts):
        return
    if kind.name:
        job.done(node, "embed_content")
    else:
        job.assisted(node, "embed_content", "this takes the content for one text; for a list it is "
                     "[one.values for one in result.embeddings]")  # fmt: skip
