"""Programs of the old SDK, one for each row of the mapping table and each shape that it has.

Each is run as it is with the old SDK, and migrated with the new one. They are in ``cases.txt``:
``### NAME``, then the program. ``#begin`` stands for an import and a client, ``#model`` for a model
beside them; ``KEY`` and ``ENDPOINT`` are there for all. The old SDK's REST transport knows no
``await``, so for programs that wait, ``### NAME = without await`` is what it runs.
"""

from __future__ import annotations

import re
from pathlib import Path

BEGIN = """\
import google.generativeai as genai

genai.configure(api_key=KEY, transport="rest", client_options={"api_endpoint": ENDPOINT})
"""
MODEL = BEGIN + 'model = genai.GenerativeModel("gemini-2.5-flash")\n'
_TWIN = " = without await"


def _read() -> dict[str, str]:
    text = Path(__file__).with_suffix(".txt").read_text("utf-8")
    _, *pieces = re.split(r"(?m)^### (.*)\n", text)
    return {
        name: program.replace("#begin\n", BEGIN).replace("#model\n", MODEL)
        for name, program in zip(pieces[::2], pieces[1::2], strict=True)
    }


_ALL = _read()
#: What is migrated, and what the old SDK runs.
CASES = {name: text for name, text in _ALL.items() if not name.endswith(_TWIN)}
OLD = {name: _ALL.get(name + _TWIN, text) for name, text in CASES.items()}
