"""Migrates the text of one program of @google/genai to openai."""

from __future__ import annotations

from gemini_magic.convert.migrate.javascript.imports import NEW
from gemini_magic.convert.migrate.javascript.job import Job, Language
from gemini_magic.convert.migrate.javascript.kind import promise
from gemini_magic.convert.migrate.javascript.to_openai import answers, calls, clients
from gemini_magic.convert.migrate.javascript.to_openai.sdk import SDK
from gemini_magic.convert.migrate.job import Options


def rewrite(text: str, options: Options, file: Language, collected: str) -> Job | None:
    """The program with all edits made, None where it does not use the SDK.

    ``collected`` is how the first step calls the function that reads streams. Raises
    ``Unreadable``.
    """
    given = {collected: promise("whole")} if collected else {}
    project = options.scripts.new if options.scripts is not None else None
    job = Job(text, options, SDK, NEW, file, given=given, project=project)
    if not job.imports and not job.foreign:
        return None
    calls.rewrite(job)
    answers.rewrite(job)
    clients.rewrite(job)
    for chain in job.chains if collected else ():
        if job.code.name(chain.first) == collected:
            job.rename(chain.first, job.function("collectedAnswer"))
    return job
