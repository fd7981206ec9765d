"""Writes a prompt as a call of OpenAI's interface for pictures: generate, or edit."""

from __future__ import annotations

from collections.abc import Callable

from gemini_magic.backends import openai_images
from gemini_magic.convert import pytext
from gemini_magic.convert.plan import Plan
from gemini_magic.convert.python_openai import dialect


def draws(plan: Plan) -> bool:
    """Whether a plan's pictures are asked for by this interface, and not in a chat."""
    return openai_images.draws(plan.model, dialect(plan.backend))


def written(plan: Plan, note: Callable[[str, str], None]) -> tuple[str, str]:
    """The expressions of the settings and of the instructions; empty where there are none.

    Raises ``UsageError`` for what is asked of no picture.
    """
    spoken = dialect(plan.backend)
    order = openai_images.order_of(plan.request, plan.model, spoken)
    for notice in order.notices:
        note("left-out", notice)
    if spoken.kind == "openai":
        note("differs", "previews of the picture are not asked for")
    fields = {key: one for key, one in order.fields.items() if key not in ("model", "prompt")}
    system = "" if plan.system is None else pytext.text_expression(plan.system)
    return pytext.value(fields) if fields else "", system
