"""Names of the old SDK: types become dicts, exceptions openai's; and embeddings and models."""

from __future__ import annotations

import ast

from gemini_magic.convert.migrate import arguments
from gemini_magic.convert.migrate.job import Job
from gemini_magic.convert.migrate.source import Part, Span
from gemini_magic.convert.migrate.to_openai.target import Target, flat

#: Exceptions of google.api_core, and those of openai 3.x (openai/_exceptions.py).
FAILURES = {
    "GoogleAPIError": "APIError", "GoogleAPICallError": "APIError", "ClientError": "APIStatusError",
    "ServerError": "InternalServerError", "BadRequest": "BadRequestError",
    "InvalidArgument": "BadRequestError", "FailedPrecondition": "BadRequestError",
    "Unauthorized": "AuthenticationError", "Unauthenticated": "AuthenticationError",
    "Forbidden": "PermissionDeniedError", "PermissionDenied": "PermissionDeniedError",
    "NotFound": "NotFoundError", "TooManyRequests": "RateLimitError",
    "ResourceExhausted": "RateLimitError", "InternalServerError": "InternalServerError",
    "ServiceUnavailable": "InternalServerError", "GatewayTimeout": "InternalServerError",
    "DeadlineExceeded": "APITimeoutError",
}  # fmt: skip
#: Types that are dicts with the same keys now.
_DICTS = {"GenerationConfig", "protos.GenerationConfig"} | {
    f"{room}.{name}" for room in ("protos", "types")
    for name in ("Schema", "FunctionDeclaration", "Tool", "Part", "Blob", "Content",
                 "FunctionResponse")
}  # fmt: skip
_HANDLED = {"configure", "GenerativeModel", "GenerativeModel.from_cached_content", "ChatSession",
            "embed_content", "embed_content_async", "list_models", "get_model"}  # fmt: skip
_MODULES = {"", "types", "protos", "caching", "exceptions"}


def rewrite(target: Target) -> None:
    """Change all names that no other rule has changed, and what services have in common."""
    job = target.job
    for node in job.scopes.nodes:
        if not isinstance(node, ast.Name | ast.Attribute):
            continue
        parent = job.scopes.parent.get(node)
        name = job.kinds.symbol(node)
        if name == "" and isinstance(node, ast.Name) and not isinstance(parent, ast.Attribute):
            job.replace(node, "OpenAI")  # whether there is one: ``genai = None``
        if name is None or name in _MODULES or not isinstance(node.ctx, ast.Load):
            continue
        longer = isinstance(parent, ast.Attribute) and job.kinds.symbol(parent) is not None
        if longer and not name.startswith("exceptions."):
            continue
        _name(target, node, name)
    for call in job.each(ast.Call):
        _service(target, call)
    for subscript in job.each(ast.Subscript):
        _vectors(job, subscript)


def _name(target: Target, node: ast.Name | ast.Attribute, name: str) -> None:
    job = target.job
    parent = job.scopes.parent.get(node)
    called = isinstance(parent, ast.Call) and parent.func is node
    if called and name in _HANDLED:
        return
    if called and name in _DICTS:
        assert isinstance(parent, ast.Call)
        _keys(job, parent)
        if job.replace(node, "dict"):
            job.done(node, "types")
    elif name.startswith("protos.Type."):
        if job.replace(node, f'"{name.rpartition(".")[2].lower()}"'):
            job.done(node, "types")
    elif name.endswith(("BlockedPromptException", "StopCandidateException")):
        if job.replace(node, f"{target.module('openai')}.APIStatusError"):
            job.assisted(node, "exceptions", "what is blocked is such an error, or an answer whose "
                         "finish_reason is content_filter")  # fmt: skip
    elif name.startswith("exceptions."):
        _failure(target, node, name.partition(".")[2])
    elif name.startswith(("types.Harm", "protos.Harm", "protos.SafetySetting")):
        if job.replace(node, f'"{name.rpartition(".")[2]}"'):
            job.assisted(
                node, "safety", "OpenAI's chat endpoint has no safety settings; this can go"
            )
    elif name in ("GenerativeModel", "GenerationConfig", "types.Tool") and _annotates(job, node):
        if job.replace(node, "dict"):
            job.done(node, "types")
    elif name == "ChatSession" and _annotates(job, node):
        if job.replace(node, target.function("Chat")):
            job.done(node, "types")
    elif not name.startswith("protos.Candidate.FinishReason"):
        job.left(node, "unknown", f"openai has nothing for {name}")


def _annotates(job: Job, node: ast.AST) -> bool:
    return any(isinstance(one, ast.arg | ast.AnnAssign)
               or getattr(one, "returns", None) is not None for one in job.scopes.ancestors(node)
               )  # fmt: skip


def _keys(job: Job, call: ast.Call) -> None:
    """Names that were written otherwise, so as not to be Python's; dicts stay as they are."""
    for keyword in call.keywords:
        if keyword.arg in ("type_", "format_"):
            start = job.span(keyword).start
            job.edits.replace(Span(start, start + len(keyword.arg)), keyword.arg[:-1])


def _failure(target: Target, node: ast.Name | ast.Attribute, short: str) -> None:
    job = target.job
    if short not in FAILURES:
        job.left(node, "exceptions", f"openai raises openai.APIError, no {short}")
    elif job.replace(node, f"{target.module('openai')}.{FAILURES[short]}"):
        job.done(node, "exceptions")
        parent = job.scopes.parent.get(node)
        name = parent.name if isinstance(parent, ast.ExceptHandler) else None
        if name is None:
            return
        assert parent is not None
        for one in ast.walk(parent):
            match one:
                case ast.Attribute(value=ast.Name(id=said), attr="code") if said == name:
                    job.replace(one, f"{name}.status_code")


def _service(target: Target, call: ast.Call) -> None:
    job = target.job
    match job.kinds.symbol(call.func):
        case "embed_content":
            _embed(target, call, awaited=False)
        case "embed_content_async":
            _embed(target, call, awaited=True)
        case "list_models":
            if target.replace(call, f"{target.client(awaited=False)}.models.list()"):
                job.assisted(call, "list_models", "a model has an id here, and tells nothing else")
        case "get_model":
            given = arguments.bound(call, ("name",)) or {}
            if "name" not in given:
                job.left(call, "get_model", "the arguments of this call are hidden by * or **")
            elif target.replace(call, f"{target.client(awaited=False)}.models.retrieve(",
                             job.whole(given["name"]), ")"):  # fmt: skip
                job.assisted(call, "get_model", "a model has an id here, and tells nothing else")


def _embed(target: Target, call: ast.Call, *, awaited: bool) -> None:
    job, rule = target.job, "embed_content"
    given = arguments.bound(call, ("model", "content", "task_type", "title",
                                   "output_dimensionality"))  # fmt: skip
    if given is None or not {"model", "content"} <= set(given):
        job.left(call, rule, "the arguments of this call are hidden by * or **")
        return
    model: list[Part] = [job.whole(given["model"])]
    if isinstance(given["model"], ast.Constant):
        model = [f'"{str(given["model"].value).removeprefix("models/")}"']
    pieces: list[list[Part]] = [["model=", *model], ["input=", job.whole(given["content"])]]
    if "output_dimensionality" in given:
        pieces.append(["dimensions=", job.whole(given["output_dimensionality"])])
    target.keep_comments(call, given.values())
    client = target.client(awaited=awaited)
    if target.replace(call, f"{client}.embeddings.create(", *flat(pieces), ")"):
        job.done(call, rule)
    if {"task_type", "title"} & set(given):
        job.assisted(
            call, rule, "task_type and title were taken out: OpenAI's embeddings have none"
        )


def _vectors(job: Job, node: ast.Subscript) -> None:
    """``result["embedding"]``."""
    kind = job.kinds.of(node.value)
    key = node.slice.value if isinstance(node.slice, ast.Constant) else None
    if kind is None or kind.tag != "embedding" or key != "embedding":
        return
    base = job.span(node.value)
    if kind.name == "many":
        made: list[Part] = ["[one.embedding for one in ", base, ".data]"]
    else:
        made = [base, ".data[0].embedding"]
        if not kind.name:
            job.assisted(node, "embed_content", "for a list of texts: [one.embedding for one in "
                         "result.data]")  # fmt: skip
    if job.replace(node, *made):
        job.done(node, "embed_content")
