"""What goes into the routes and comes out, as JSON schemas: checked, and told in openapi.json."""

from __future__ import annotations

from typing import Any, TypeAlias

from gemini_magic.convert.targets import SUFFIXES
from gemini_magic.keys import PLACES

Schema: TypeAlias = dict[str, Any]

TEXT: Schema = {"type": "string"}
LINE: Schema = {"type": "string", "maxLength": 4_000}
FLAG: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
NOTEBOOK: Schema = {"type": "object", "description": "a notebook's JSON, format 4"}


def words(*known: str) -> Schema:
    return {"type": "string", "enum": [*known]}


def maybe(schema: Schema) -> Schema:
    """The same, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def rows(schema: Schema, most: int | None = None) -> Schema:
    return {"type": "array", "items": schema} | ({} if most is None else {"maxItems": most})


def fields(given: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """An object with these fields and no others."""
    return {
        "type": "object",
        "properties": {**given, **(optional or {})},
        "required": [*given],
        "additionalProperties": False,
    }


PROBLEM = fields({"message": TEXT, "next": maybe(TEXT)})

# --- quota ---

_STATE = words("ok", "warn", "empty", "unknown")
_WINDOW: dict[str, Schema] = {
    "window": words("RPM", "TPM", "IPM", "RPD", "TPD"),
    "used": COUNT,
    "limit": maybe(COUNT),
    "provenance": maybe(words("seed", "user", "learned")),
    "note": TEXT,
    "resets_at": maybe(NUMBER),
    "state": _STATE,
}
_METER: dict[str, Schema] = {
    "backend": TEXT,
    "kind": maybe(words("google", "openai", "local")),
    "model": TEXT,
    "project": maybe(TEXT),
    "tier": maybe(TEXT),
}
QUOTA = fields(
    {
        "tightest": maybe(
            fields({**_WINDOW, "backend": TEXT, "model": TEXT, "project": maybe(TEXT)})
        ),
        "text": maybe(TEXT),
        "meters": rows(fields({**_METER, "state": _STATE, "windows": rows(fields(_WINDOW))})),
        "budget": rows(
            fields(
                {"backend": TEXT, "period": words("day", "month"), "used": NUMBER,
                 "limit": NUMBER, "resets_at": NUMBER, "state": _STATE}
            )
        ),
        "at": NUMBER,
        "problem": maybe(TEXT),
    }
)  # fmt: skip
_POINT = fields({"at": NUMBER, "requests": COUNT, "tokens": COUNT, "price": maybe(NUMBER)})
HISTORY = fields({"hours": rows(_POINT), "days": rows(_POINT)})

REQUESTS = rows(
    fields(
        {"at": NUMBER, "seconds": NUMBER, "backend": TEXT, "model": TEXT,
         "input_tokens": maybe(COUNT), "output_tokens": maybe(COUNT), "price": maybe(NUMBER),
         "status": TEXT, "cached": FLAG, "notebook": maybe(TEXT), "cell_id": maybe(TEXT),
         "prompt": TEXT}
    )
)  # fmt: skip
CACHE = fields({"replies": COUNT, "bytes": COUNT})

# --- backends ---

_KIND = words("google", "openai", "local")
BACKEND = fields(
    {"name": TEXT, "kind": _KIND, "base_url": maybe(TEXT), "models": rows(TEXT),
     "model": maybe(TEXT),
     "key": fields(
         {"needed": FLAG, "found": FLAG, "where": maybe(TEXT),
          "kernels": rows(fields({"notebook": maybe(TEXT), "where": maybe(words(*PLACES))}))}
     ),
     "project": maybe(TEXT), "tier": maybe(TEXT),
     "state": words("ready", "no key", "exhausted", "unknown"),
     "exhausted_until": maybe(NUMBER), "in_route": FLAG, "own": FLAG}
)  # fmt: skip
BACKENDS = rows(BACKEND)
PRESETS = rows(
    fields(
        {"preset": TEXT, "kind": _KIND, "base_url": maybe(TEXT), "key_env": maybe(TEXT),
         "needs_project": FLAG, "title": TEXT}
    )
)  # fmt: skip
NAME: Schema = {"type": "string", "pattern": r"^[A-Za-z][A-Za-z0-9_.-]{0,63}(?![\s\S])"}
_SECRET: Schema = {"type": "string", "maxLength": 10_000, "format": "password"}
NEW_BACKEND = fields(
    {"name": {**NAME, "pattern": r"^[A-Za-z][A-Za-z0-9_-]{0,39}(?![\s\S])"}},
    {"preset": LINE, "kind": _KIND, "base_url": LINE, "model": LINE, "project": LINE, "tier": LINE,
     "key": _SECRET, "key_file": FLAG},
)  # fmt: skip
NOTHING = fields({})
TESTED = fields(
    {"ok": FLAG, "seconds": NUMBER, "message": TEXT, "next": maybe(TEXT), "models": rows(TEXT)}
)

# --- documents ---

_NOTE = fields({"cell": TEXT, "kind": TEXT, "text": TEXT})
EXPORTS = fields(
    {
        "targets": rows(
            fields({"target": TEXT, "title": TEXT, "suffix": TEXT, "options": rows(TEXT)})
        ),
        "options": rows(fields({"name": TEXT, "help": TEXT, "default": FLAG})),
    }
)
_PATH: Schema = {"type": "string", "minLength": 1, "maxLength": 4_000,
                 "description": "below the server's root, with slashes"}  # fmt: skip
_FOLDER: Schema = {**_PATH, "minLength": 0}
_EXPORT: dict[str, Schema] = {
    "path": _PATH,
    "target": words(*SUFFIXES),
}
_HOW: dict[str, Schema] = {
    "options": fields({}, dict.fromkeys(("freeze", "params", "retry", "lift_keys"), FLAG)),
    "content": NOTEBOOK,
}
EXPORT = fields(
    _EXPORT, {**_HOW, "cell": {"type": "string", "maxLength": 200, "description": "a cell's id"}}
)
EXPORT_WRITE = fields(
    _EXPORT,
    {**_HOW, "form": words("files", "zip", "git"), "to": _FOLDER, "overwrite": FLAG, "all": FLAG,
     "remote": _PATH, "branch": {"type": "string", "maxLength": 250}, "yes": FLAG},
)  # fmt: skip
PREVIEW = fields({"files": rows(fields({"name": TEXT, "text": maybe(TEXT)})), "notes": rows(_NOTE)})
WRITTEN = fields({"written": rows(TEXT), "notes": rows(_NOTE)}, {"diff": TEXT})
IMPORT = fields({"path": _PATH}, {"to": _FOLDER, "overwrite": FLAG})
IMPORTED = fields({"written": rows(TEXT), "notebooks": rows(TEXT), "notes": rows(_NOTE)})
MIGRATE = fields(
    {"path": _PATH, "to": words("google-genai", "openai")},
    {"base_url": {"type": "string", "pattern": r"^https?://[^\s]{1,2000}(?![\s\S])"}, "write": FLAG,
     "before": TEXT},
)  # fmt: skip
MIGRATED = fields(
    {
        "path": TEXT, "before": TEXT, "after": TEXT, "diff": TEXT,
        "places": rows(
            fields({"line": COUNT, "verdict": words("done", "assisted", "left"), "why": TEXT,
                    "cell": maybe(TEXT), "index": maybe(COUNT)})
        ),
        "written": FLAG,
    }
)  # fmt: skip

# --- keys in notebooks ---

FINDINGS = rows(
    fields(
        {"id": TEXT, "cell": maybe(COUNT), "cell_id": maybe(TEXT),
         "where": words("source", "output", "metadata"), "kind": TEXT, "shown": TEXT, "line": COUNT}
    )
)  # fmt: skip
SCAN = fields({"content": NOTEBOOK})
SCANNED = fields({"findings": FINDINGS})
_ID: Schema = {"type": "string", "maxLength": 64}
REDACT = fields({"content": NOTEBOOK, "ids": rows(_ID, 10_000)})
REDACTED = fields({"content": NOTEBOOK})
KEYRING = fields({"content": NOTEBOOK, "id": _ID, "name": NAME})
KEPT = fields({"content": NOTEBOOK, "expression": TEXT})

# --- the catalogue ---

OPTIONS = rows(
    fields(
        {"name": TEXT, "short": maybe(TEXT), "type": TEXT, "choices": rows(TEXT), "help": TEXT,
         "values": TEXT, "kinds": rows(_KIND), "group": TEXT}
    )
)  # fmt: skip
MODELS = rows(fields({"backend": TEXT, "model": TEXT, "can": rows(TEXT)}))
