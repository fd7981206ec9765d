"""Writes JSON as AI Studio's server does, so that a file that comes back is the same file.

Objects take a line for each value, lists none; signs that HTML reads are escaped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_ESCAPED = re.compile("[<>&='\u2028\u2029\ud800-\udfff]")


def written(value: Any, indent: str = "") -> str:
    """JSON values as text, without a final newline."""
    if isinstance(value, Mapping):
        inner = f"{indent}  "
        rows = [f"{inner}{_text(str(key))}: {written(one, inner)}" for key, one in value.items()]
        body = ",\n".join(rows)
        return f"{{\n{body}\n{indent}}}" if rows else f"{{\n{indent}}}"
    if isinstance(value, list):
        return f"[{', '.join(written(one, indent) for one in value)}]"
    if isinstance(value, str):
        return _text(value)
    return json.dumps(value)


def _text(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return _ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)
