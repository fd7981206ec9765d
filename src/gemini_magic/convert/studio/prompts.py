"""A saved prompt as turns: chats here, the kinds of MakerSuite's days in ``older``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gemini_magic.convert.steps import Note
from gemini_magic.convert.studio import older, values
from gemini_magic.convert.studio.answers import failures, reply_of
from gemini_magic.convert.studio.chunks import groups, pieces_of
from gemini_magic.convert.studio.documents import kind_of, model_name
from gemini_magic.convert.studio.naming import identifier
from gemini_magic.convert.studio.options import Tell, options_of
from gemini_magic.convert.studio.pieces import Found, Missing, Turn
from gemini_magic.errors import GeminiMagicError

#: What the notebook's and the cells' metadata are called below ``gemini_magic``.
KEPT = "aistudio"
#: The form in which they are kept.
FORMAT = 1


def found_in(document: Mapping[str, Any], title: str, origin: str) -> Found:
    """The turns of a saved prompt. An unknown kind has none, and is kept as it is."""
    notes: dict[Note, None] = {}

    def tell(kind: str, text: str) -> None:
        notes.setdefault(Note("", kind, text))

    kind, model = kind_of(document) or "", model_name(document)
    settings = values.mapping(document.get("runSettings"))
    options = options_of(settings, tell)
    system = system_of(document)
    kept: dict[str, Any] = {"format": FORMAT, "kind": kind, "document": document}
    if kind == "chunkedPrompt":
        turns, kept = _chat(document, identifier(title, "chat"), model, tell)
    elif (read := older.READERS.get(kind)) is not None:
        turns, preamble = read(document, title, model)
        system = system or preamble
    else:
        turns = []
        tell(
            "unknown-kind",
            f"{kind} is a kind of prompt that is not known: it is kept as it is, and there is no "
            "cell of it",
        )
    filled = tuple(turn._replace(options=options, system=system or None) for turn in turns)
    return Found(title, origin, filled, tuple(notes), kept)


def system_of(document: Mapping[str, Any]) -> str:
    """The system instruction: its text, or its parts' texts."""
    given = document.get("systemInstruction")
    if isinstance(given, str):
        return given
    held = values.mapping(given)
    parts = "".join(values.text(part.get("text")) for part in values.mappings(held.get("parts")))
    return values.text(held.get("text")) or parts


def _chat(
    document: Mapping[str, Any], name: str, model: str, tell: Tell
) -> tuple[list[Turn], dict[str, Any]]:
    prompt = values.mapping(document["chunkedPrompt"])
    chunks = prompt.get("chunks", [])
    pending = prompt.get("pendingInputs", [])
    for given in (chunks, pending):
        if not isinstance(given, list) or not all(isinstance(one, Mapping) for one in given):
            raise GeminiMagicError("its chunks are not what AI Studio writes; nothing was written.")
    turns: list[Turn] = []
    before: list[Any] = []
    for group in groups(chunks):
        kept = {"asked": list(group.asked), "answered": list(group.answered)}
        pieces = pieces_of(group.asked)
        if not pieces:
            before.append({"at": len(turns), **kept})
            if any(values.text(chunk.get("text")) for chunk in group.answered):
                tell("left-out", "an answer that nothing was asked for is kept, and is no cell")
            continue
        if sum(bool(values.text(chunk.get("text"))) for chunk in group.asked) > 1:
            tell("merged", "texts that were asked one after another are one cell")
        for chunk in group.asked:
            if "videoMetadata" in chunk:
                tell("left-out", "videoMetadata (frames a second, clipping) is kept, not sent")
        reply = reply_of(group.asked, group.answered, model)
        if reply is None:
            for failure in failures(group.answered):
                tell("failed", f"there is no answer to turn {len(turns) + 1}: {failure[:200]}")
        turns.append(Turn(pieces, reply=reply, kept=kept))
    if draft := pieces_of(pending):
        tell("draft", "the last cell is a draft that was not sent")
        turns.append(Turn(draft, kept={"pending": pending}, above="A draft, not sent yet:"))
        pending = None
    for turn in turns:
        for piece in turn.pieces:
            if isinstance(piece, Missing):
                tell("missing", f"the {piece.what} {piece.id[:80]} is in {piece.where}, not here")
    if len(turns) > 1:
        turns = [turn._replace(chat=name) for turn in turns]
    rest = {**document, "chunkedPrompt": {**prompt, "chunks": [], "pendingInputs": pending}}
    if pending is None or "pendingInputs" not in prompt:
        rest["chunkedPrompt"].pop("pendingInputs")
    if "chunks" not in prompt:
        rest["chunkedPrompt"].pop("chunks")
    whole: dict[str, Any] = {"format": FORMAT, "kind": "chunkedPrompt", "document": rest}
    if before:
        whole["between"] = before
    return turns, whole
