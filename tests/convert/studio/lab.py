"""Saved prompts as AI Studio writes them, made in code, and what becomes of them."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from pathlib import Path
from typing import Any

from gemini_magic.cell import GeminiCell
from gemini_magic.convert.notebook_file import notebook_of
from gemini_magic.convert.studio import back, importing
from gemini_magic.convert.studio.pieces import Imported
from gemini_magic.notebook.drawn import drawn
from gemini_magic.notebook.export_context import context_of


def _png() -> bytes:
    head, row = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0), zlib.compress(bytes(4))
    chunks = ((b"IHDR", head), (b"IDAT", row), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


PNG = _png()
KEY = "AIza" + "SyD3kQ9xTb7Lm2Vw8Rz5Np1Hc6Jf4Gs0Ya"
SETTINGS: dict[str, Any] = {
    "temperature": 1.0, "model": "models/gemini-2.5-flash", "topP": 0.95, "topK": 64,
    "maxOutputTokens": 65536,
}  # fmt: skip


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def user(text: str, **more: Any) -> dict[str, Any]:
    return {"text": text, "role": "user", **more}


def model(text: str, **more: Any) -> dict[str, Any]:
    return {"text": text, "role": "model", "finishReason": "STOP", **more}


def chat(
    *chunks: dict[str, Any], system: str = "", draft: str = "", **settings: Any
) -> dict[str, Any]:
    return {
        "runSettings": {**SETTINGS, **settings},
        "systemInstruction": {"text": system} if system else {},
        "chunkedPrompt": {
            "chunks": list(chunks),
            "pendingInputs": [{"text": draft, "role": "user"}],
        },
    }


def imported(document: Any, name: str = "My prompt", folder: Path | None = None) -> Imported:
    """The notebook of a document, by way of a file; its files are beside it."""
    folder = folder or Path.cwd()
    path = folder / name
    path.write_text(json.dumps(document), "utf-8")
    (outcome,) = importing.import_path(path, drawn, frozenset({"MY_KEY"}))
    assert outcome.imported is not None
    put_beside(outcome.imported, folder)
    return outcome.imported


def put_beside(made: Imported, folder: Path) -> None:
    """Write the files of an import into its folder."""
    for file, data in made.files:
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_bytes(data)


def exported(notebook: Any, folder: Path | None = None) -> Any:
    """The document that a notebook goes back as; the notebook goes through its file's JSON."""
    made = back.export(
        notebook_of(json.loads(json.dumps(notebook)), "x.ipynb"), context_of(folder or Path.cwd())
    )
    return json.loads(made.text)


def prompts(made: Imported) -> list[GeminiCell]:
    return [GeminiCell.parse(cell["source"]) for cell in asking(made)]


def asking(made: Imported) -> list[dict[str, Any]]:
    return [cell for cell in made.notebook["cells"] if cell["source"].startswith("%%gemini")]


def setup(made: Imported) -> dict[str, Any]:
    """The variables that the notebook's plain cells make."""
    names: dict[str, Any] = {}
    for cell in made.notebook["cells"]:
        if cell["cell_type"] == "code" and not cell["source"].startswith("%%"):
            lines = [line for line in cell["source"].split("\n") if not line.startswith("%")]
            exec("\n".join(lines), names)
    return names


def kinds(made: Imported) -> list[str]:
    return [note.kind for note in made.notes]


def shown(cell: dict[str, Any], mime: str = "text/plain") -> list[str]:
    return [out["data"][mime] for out in cell["outputs"] if mime in out["data"]]
