"""All rules of this target, in their order."""

from __future__ import annotations

from gemini_magic.convert.migrate import imports as shared
from gemini_magic.convert.migrate.job import Job
from gemini_magic.convert.migrate.models import Models
from gemini_magic.convert.migrate.to_openai import answers, calls, imports, names
from gemini_magic.convert.migrate.to_openai.target import Target


def rules(job: Job, models: Models) -> Target:
    """Change everything but what the new text imports."""
    target = Target(job, models)
    job.travelling = True
    calls.rewrite(target)
    answers.rewrite(target)
    names.rewrite(target)
    return target


def finish(target: Target) -> None:
    """The client, the imports, and the library: what is needed is known by now."""
    configured = imports.configure(target)
    shared.companions(target.job)
    imports.rewrite(target, configured=configured)
