"""Imagen's ``client.models.generate_images``, which google-genai 1 and 2 had and Google has ended.

A function of that name is copied into the program, which gives what the old call gave: pictures of
a Gemini model, or with ``--to openai`` those of OpenAI's images API.
Source: https://ai.google.dev/gemini-api/docs/deprecations and ``models.generate_images`` of 3.4.0.
"""

from __future__ import annotations

import ast
import inspect
import json
import re

from gemini_magic.catalog import bare, successor
from gemini_magic.convert.migrate import arguments, library
from gemini_magic.convert.migrate.job import Job
from gemini_magic.convert.migrate.source import Part
from gemini_magic.convert.migrate.to_openai import emitted, imports
from gemini_magic.convert.migrate.to_openai.target import GOOGLE

#: A program without this word asks for no pictures of Imagen.
WORD = "generate_images"
_IMPORTS = (ast.Import, ast.ImportFrom)
#: The model where the old one is not known.
_MODEL = "gemini-3.1-flash-image"


def calls(job: Job) -> list[ast.Call]:
    """The calls ``CLIENT.models.generate_images(...)`` of a program that uses google-genai."""
    modules = [one.name for node in job.each(ast.Import) for one in node.names]
    modules += [f"{node.module}.{one.name}" for node in job.each(ast.ImportFrom)
                for one in node.names]  # fmt: skip
    if not any(name == "google.genai" or name.startswith("google.genai.") for name in modules):
        return []
    return [
        call for call in job.each(ast.Call)
        if isinstance(call.func, ast.Attribute) and call.func.attr == WORD
        and isinstance(call.func.value, ast.Attribute) and call.func.value.attr == "models"
    ]  # fmt: skip


def rewrite(job: Job) -> None:
    """Change those calls, and put in what they need."""
    changed = False
    name = job.free(WORD, "gemini_images")
    client = job.free("images_client", "openai_images_client")
    for call in calls(job):
        func = call.func
        assert isinstance(func, ast.Attribute) and isinstance(func.value, ast.Attribute)
        owner = func.value.value
        if isinstance(owner, ast.Attribute) and owner.attr == "aio":
            job.left(call, WORD, "Imagen is gone: ask a Gemini model that makes pictures with "
                     "client.aio.models.generate_content")  # fmt: skip
            continue
        if call.args or any(one.arg is None for one in call.keywords):
            job.left(call, WORD, "the arguments of this call are hidden by * or **")
            continue
        asker: list[Part] = [client] if job.options.to == "openai" else [job.whole(owner)]
        if not job.replace(func, name):
            continue
        arguments.rewrite(job, call, lead=[asker])
        changed = True
        if job.options.to == "openai":
            said = "the images API makes these pictures; of the config it knows their number and "
            said += "shape"
            if job.options.base_url in (None, GOOGLE, GOOGLE.rstrip("/")):
                _model(job, call)
            else:
                said += f"; {_asked(job, call)} has to be a model that {job.options.base_url} has"
            job.assisted(call, WORD, said)
            continue
        _model(job, call)
        job.assisted(call, WORD, "a Gemini model makes these pictures, with one request for each; "
                     "of the config it knows their number, shape and size")  # fmt: skip
    if changed:
        _add(job, name, client)


def _model(job: Job, call: ast.Call) -> None:
    """A model of Imagen's becomes one of Gemini's, where its name stands in the program."""
    for node in _names(job, call):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if "imagen" in node.value:
                job.replace(node, json.dumps(successor(bare(node.value)) or _MODEL))
        else:
            job.assisted(call, WORD, f"its model has to be one such as {_MODEL}")


def _names(job: Job, call: ast.Call) -> list[ast.expr]:
    """What its model may be."""
    given = next((one.value for one in call.keywords if one.arg == "model"), None)
    return [] if given is None else job.kinds.values(given)


def _asked(job: Job, call: ast.Call) -> str:
    """The models that it asks, in words."""
    names = [ast.literal_eval(one) for one in _names(job, call) if isinstance(one, ast.Constant)]
    return " or ".join(dict.fromkeys(map(str, names))) or "what is asked here"


def _add(job: Job, name: str, client: str) -> None:
    """The function, below the imports, and the client of another service."""
    newline = job.source.newline
    lines: list[str] = []
    if job.options.to == "openai":
        called = {one: job.free(one, f"openai_{one}") for one in emitted.names()} | {WORD: name}
        lines, text = emitted.copied([WORD], called)
        made = [f"base_url={json.dumps(job.options.base_url or GOOGLE)}"]
        if (variable := job.options.key_env) or not job.options.base_url:
            lines.append("import os")
            made.insert(0, f'api_key=os.environ["{variable or "GEMINI_API_KEY"}"]')
        lines = [*sorted(set(lines), key=lambda line: line.startswith("from")),
                 "from openai import OpenAI"]  # fmt: skip
        text += f"\n\n\n{client} = OpenAI({', '.join(made)})"
    else:
        lines = [] if "Any" in job.scopes.all_names else ["from typing import Any"]
        text = re.sub(rf"\b{WORD}\(", f"{name}(", inspect.getsource(library.generate_images))
    first = next((node for node in job.source.tree.body if isinstance(node, _IMPORTS)
                  and "genai" in ast.unparse(node)), None)  # fmt: skip
    at = imports.below(job, first)
    blank = re.match(r"\s*", job.source.text[at:])
    after = [""] * max(0, 2 - (blank[0].count("\n") if blank is not None else 0))
    job.edits.insert(at, newline.join([*lines, "", "", *text.strip().split("\n"), *after, ""]))
