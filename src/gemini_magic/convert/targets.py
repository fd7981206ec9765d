"""Which targets there are, and which room writes each."""

from __future__ import annotations

from gemini_magic.convert.context import Context
from gemini_magic.convert.exported import Exported
from gemini_magic.convert.notebook_file import Notebook
from gemini_magic.convert.options import NONE, Options

#: What a script of each target is called after its notebook's name.
SUFFIXES = {"python-genai": ".py", "python-openai": ".py"}
TARGETS = tuple(SUFFIXES)


def export(notebook: Notebook, context: Context, target: str, options: Options = NONE) -> Exported:
    """The script that does what a notebook does, with nothing but the target's SDK.

    The same notebook, configuration and options give the same bytes. Raises ``KeyFound`` where a
    key would be written, and other ``GeminiMagicError``; nothing is to be written then.
    """
    from gemini_magic.convert import script

    return script.export(notebook, context, target, options)
