"""Which targets there are, and which room writes each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemini_magic.convert.options import NONE, Options

if TYPE_CHECKING:
    from gemini_magic.convert.context import Context
    from gemini_magic.convert.exported import Exported
    from gemini_magic.convert.notebook_file import Notebook

#: What a script of each target is called after its notebook's name.
SUFFIXES = {
    "python-genai": ".py",
    "python-openai": ".py",
    "node-genai": ".mjs",
    "node-openai": ".mjs",
    "curl": ".sh",
    "aistudio": "",  # a saved prompt, which has none in Drive
}
#: What people call them.
TITLES = {
    "python-genai": "Python (google-genai)",
    "python-openai": "Python (openai)",
    "node-genai": "Node.js (@google/genai)",
    "node-openai": "Node.js (openai)",
    "curl": "Shell script (curl)",
    "aistudio": "AI Studio prompt",
}
#: Those that are programs.
TARGETS = tuple(target for target, suffix in SUFFIXES.items() if suffix)


def export(notebook: Notebook, context: Context, target: str, options: Options = NONE) -> Exported:
    """The script that does what a notebook does, with nothing but the target's SDK.

    The same notebook, configuration and options give the same bytes. Raises ``KeyFound`` where a
    key would be written, and other ``GeminiMagicError``; nothing is to be written then.
    """
    if target == "aistudio":
        from gemini_magic.convert.studio import back

        return back.export(notebook, context)
    if target == "curl":
        from gemini_magic.convert import curl

        return curl.export(notebook, context, options)
    if target.startswith("node-"):
        from gemini_magic.convert import node

        return node.export(notebook, context, target, options)
    from gemini_magic.convert import script

    return script.export(notebook, context, target, options)
