"""The one table of routes: the handlers answer by it, and openapi.json tells it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from gemini_magic.server import schemas
from gemini_magic.server.schemas import COUNT, LINE, Schema

if TYPE_CHECKING:
    from gemini_magic.server.desk import Desk, Given

#: Bytes of a body that is no notebook, and of one that is.
SMALL, LARGE = 100_000, 200_000_000


class Route(NamedTuple):
    """One verb of one path below ``gemini-magic/api/``; ``{name}`` in it is a parameter.

    ``does`` is a module here and a function of it, imported with the first request. ``query`` are
    the parameters after the question mark, ``body`` and ``answer`` JSON schemas (no answer: status
    204), ``limit`` the largest body in bytes.
    """

    verb: str
    path: str
    does: str
    summary: str
    answer: Schema | None = None
    query: dict[str, Schema] = {}  # noqa: RUF012
    body: Schema | None = None
    status: int = 200
    limit: int = SMALL

    def do(self, desk: Desk, given: Given) -> Any:
        """What is answered. Raises ``GeminiMagicError``."""
        module, _, name = self.does.partition(".")
        work: Callable[[Desk, Given], Any]
        work = getattr(import_module(f"gemini_magic.server.{module}"), name)
        return work(desk, given)


ROUTES = (
    Route("GET", "quota", "quota.read", "how much of which quota is used", schemas.QUOTA),
    Route(
        "GET", "quota/history", "quota.history", "what was used in the last day and fortnight",
        schemas.HISTORY, {"model": LINE, "backend": LINE},
    ),
    Route("GET", "backends", "backends.read", "who can answer, and how they are", schemas.BACKENDS),
    Route(
        "POST", "backends", "adding.add", "add a backend to the user's configuration",
        schemas.BACKEND, body=schemas.NEW_BACKEND, status=201,
    ),
    Route("DELETE", "backends/{name}", "adding.remove", "take a backend of the user's out",
          status=204),
    Route("POST", "backends/{name}/test", "adding.test", "whether a backend answers",
          schemas.TESTED, body=schemas.NOTHING),
    Route("GET", "presets", "choices.presets", "services that can be added", schemas.PRESETS),
    Route(
        "GET", "requests", "requests.read", "the newest requests of all kernels, newest first",
        schemas.REQUESTS, {"limit": {**COUNT, "minimum": 1, "maximum": 500}},
    ),
    Route("GET", "cache", "requests.cache", "what stored replies take", schemas.CACHE),
    Route("DELETE", "cache", "requests.clear", "forget all stored replies", status=204),
    Route("GET", "options", "choices.options", "the options of a cell", schemas.OPTIONS),
    Route("GET", "export", "exports.targets", "what a notebook can become", schemas.EXPORTS),
    Route(
        "POST", "export", "exports.preview", "a notebook as a program; nothing is written",
        schemas.PREVIEW, body=schemas.EXPORT, limit=LARGE,
    ),
    Route(
        "POST", "export/write", "exports.write", "the same as files, an archive or a commit",
        schemas.WRITTEN, body=schemas.EXPORT_WRITE, limit=LARGE,
    ),
    Route(
        "POST", "import", "imports.import_", "notebooks of AI Studio's prompts, code and apps",
        schemas.IMPORTED, body=schemas.IMPORT,
    ),
    Route(
        "POST", "migrate", "imports.migrate", "a program or notebook on another SDK",
        schemas.MIGRATED, body=schemas.MIGRATE, limit=LARGE,
    ),
    Route(
        "POST", "secrets/scan", "secrets.scan", "the keys in a notebook", schemas.SCANNED,
        body=schemas.SCAN, limit=LARGE,
    ),
    Route(
        "POST", "secrets/redact", "secrets.redact", "a notebook without these keys",
        schemas.REDACTED, body=schemas.REDACT, limit=LARGE,
    ),
    Route(
        "POST", "secrets/keyring", "secrets.into_keyring", "a key moved into the OS keyring",
        schemas.KEPT, body=schemas.KEYRING, limit=LARGE,
    ),
    Route("GET", "models", "choices.models", "models that are known", schemas.MODELS),
)  # fmt: skip
