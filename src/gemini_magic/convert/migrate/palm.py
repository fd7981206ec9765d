"""PaLM's ``generate_text``, of the old SDK before its version 0.8: a Gemini model is asked now."""

from __future__ import annotations

import ast
import json

from gemini_magic.catalog import bare, default_model, successor
from gemini_magic.convert.migrate import arguments
from gemini_magic.convert.migrate.job import Job
from gemini_magic.convert.migrate.source import Part

_SETTINGS = ("temperature", "candidate_count", "max_output_tokens", "top_p", "top_k",
             "stop_sequences")  # fmt: skip
_DROPPED = ("safety_settings", "client", "request_options")


def rewrite(job: Job) -> None:
    """Change all calls of it; what is read of their answers is as of any other answer."""
    for call in job.each(ast.Call):
        if job.kinds.symbol(call.func) == "generate_text":
            _generate(job, call)


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
            job.replace(node, json.dumps(newer) if newer else job.span(node))
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
