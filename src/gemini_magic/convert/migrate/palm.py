"""PaLM's ``generate_text``, of the old SDK before its version 0.8: a Gemini model is asked now."""

from __future__ import annotations

import ast
import json

from gemini_magic.catalog import bare, default_model, successor
from gemini_magic.convert.migrate import arguments
from gemini_magic.convert.migrate.job import Job
from gemini_magic.convert.migrate.kind import PALM
from gemini_magic.convert.migrate.source import Part

_SETTINGS = ("temperature", "candidate_count", "max_output_tokens", "top_p", "top_k",
             "stop_sequences")  # fmt: skip
#: What a candidate's entries are now.
_FIELDS = {"output": "content.parts[0].text", "safety_ratings": "safety_ratings"}
_DROPPED = ("safety_settings", "client", "request_options")


def rewrite(job: Job) -> None:
    """Change all calls of it, and what is read of their candidates; texts are as of any answer."""
    calls = [one for one in job.each(ast.Call) if job.kinds.symbol(one.func) == "generate_text"]
    for call in calls:
        _generate(job, call)
    for node in job.each(ast.Subscript) if calls else ():
        _candidate(job, node)
    for read in job.each(ast.Attribute) if calls else ():
        if read.attr in ("filters", "safety_feedback") and job.kinds.of(read.value) == PALM:
            job.left(read, "generate_text", f"an answer has no {read.attr} now: its "
                     "prompt_feedback, and its candidates' finish_reason and safety_ratings, tell "
                     "what was blocked")  # fmt: skip


def _generate(job: Job, call: ast.Call) -> None:
    given = arguments.bound(call, ())
    if given is None or "prompt" not in given:
        job.left(call, "generate_text", "the arguments of this call are hidden by * or **")
        return
    lead: list[list[Part]] = []
    if "model" not in given:
        lead = [[f'model="{successor("text-bison-001") or default_model()}"']]
    for node in job.kinds.values(given["model"]) if "model" in given else ():
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            newer = successor(bare(node.value))
            if newer and job.replace(node, json.dumps(newer)):
                job.renamed.add(node)
    config: list[Part] = []
    for name in _SETTINGS:
        if name in given:
            config += [*([", "] if config else []), f"{name}=", job.whole(given[name])]
    more: list[list[Part]] = []
    if config:
        more = [[f"config={job.types}.GenerateContentConfig(", *config, ")"]]
    job.replace(call.func, f"{job.client}.models.generate_content")
    arguments.rewrite(job, call, rename={"prompt": "contents"}, drop=(*_SETTINGS, *_DROPPED),
                      lead=lead, more=more)  # fmt: skip
    job.assisted(call, "generate_text", "PaLM is gone: a Gemini model is asked instead; "
                 "safety settings were PaLM's own")  # fmt: skip


def _candidate(job: Job, node: ast.Subscript) -> None:
    """PaLM's candidates were dicts of an output and safety ratings; they are objects now."""
    if not isinstance(node.slice, ast.Constant) or node.slice.value not in _FIELDS:
        return
    field = _FIELDS[node.slice.value]
    if not _is_candidate(job, node.value):
        values = job.kinds.values(node.value)
        if all(isinstance(one, ast.Dict) for one in values):
            return
        job.left(node, "generate_text", f"if this is an answer's candidate, it is .{field} now")
    elif not isinstance(node.ctx, ast.Load):
        job.left(node, "generate_text", f"a candidate is no dict now: it has .{field}")
    elif job.replace(node, job.span(node.value), f".{field}"):
        job.done(node, "generate_text")


def _is_candidate(job: Job, node: ast.expr) -> bool:
    """Whether it is certainly one of an answer's candidates."""
    if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice):
        return _are_candidates(job, node.value)
    bound = job.scopes.bindings(node) if isinstance(node, ast.Name) else []
    return bool(bound) and all(
        _are_candidates(job, one.node) if one.how == "item"
        else one.how == "value" and isinstance(one.node, ast.Subscript)
        and _is_candidate(job, one.node)
        for one in bound
    )  # fmt: skip


def _are_candidates(job: Job, node: ast.AST) -> bool:
    if not isinstance(node, ast.Attribute) or node.attr != "candidates":
        return False
    return job.kinds.of(node.value) == PALM
