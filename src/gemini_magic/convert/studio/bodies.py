"""A call of the API, in whatever language it stood, as turns.

The readers of Python, JavaScript and curl give JSON values with the wire's names (in either
spelling), in which ``Formed`` stands for a text with variables, ``Held`` for bytes, and ``Missing``
for a file that is elsewhere.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from gemini_magic.convert.steps import Note
from gemini_magic.convert.studio import values
from gemini_magic.convert.studio.answers import reply_of
from gemini_magic.convert.studio.chunks import INLINE
from gemini_magic.convert.studio.definitions import Named
from gemini_magic.convert.studio.naming import identifier
from gemini_magic.convert.studio.options import options_of, put
from gemini_magic.convert.studio.pieces import Address, Media, Missing, Piece, Slot, Text, Turn
from gemini_magic.options import OptionValue

#: What "Get code" writes where a prompt's text is to be put.
_PLACE = re.compile(r"\AINSERT_(?:INPUT|TEXT)_HERE\Z")
_DEEPEST = 30


class Formed(NamedTuple):
    """A text with variables: ``Text`` and ``Slot``."""

    pieces: tuple[Text | Slot, ...]


class Held(NamedTuple):
    """Bytes that the code holds."""

    data: bytes


class Unknown(NamedTuple):
    """A value that only a run can tell; ``source`` is its code."""

    source: str


def formed(pieces: Sequence[Text | Slot]) -> str | Formed:
    """The pieces as one value: a plain text where there is no variable."""
    if all(isinstance(one, Text) for one in pieces):
        return "".join(one.text for one in pieces if isinstance(one, Text))
    return Formed(tuple(pieces))


def added(left: Any, right: Any, source: str) -> Any:
    """Numbers or texts joined with ``+``; variables stay variables. ``source`` is the code."""
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left + right
    pieces: list[Text | Slot] = []
    for one in (left, right):
        if isinstance(one, str):
            pieces.append(Text(one))
        elif isinstance(one, Formed):
            pieces += one.pieces
        elif isinstance(one, Unknown):
            pieces.append(Slot(identifier(one.source, "value")))
        else:
            return Unknown(source)
    return formed(pieces)


class Call(NamedTuple):
    """One call: whom it asks what. ``history`` are contents that were said before.

    ``name`` is the variable of the chat that it belongs to, empty where it is none.
    """

    model: Any
    contents: Any
    config: Any
    history: Any = None
    chat: str = ""


def turns_of(call: Call, notes: dict[Note, None]) -> list[Turn]:
    """The turns of a call: its history with the answers in it, and what it asks last."""

    def tell(kind: str, text: str) -> None:
        notes.setdefault(Note("", kind, text))

    config = _flat(call.config)
    model = call.model if isinstance(call.model, str) else ""
    if not model:
        tell("left-out", "the model is not a text in the code: the cell asks the default one")
    options, needs = _options(config, model, tell)
    system = _system(config, tell)
    said = [*_messages(call.history, tell), *_messages(call.contents, tell)]
    turns: list[Turn] = []
    is_open = False
    for role, parts in said:
        if role == "model":
            chunk = {"role": "model", "parts": [_part(one) for one in parts]}
            if turns:
                turns[-1] = turns[-1]._replace(reply=reply_of((), [chunk], model))
            is_open = False
            continue
        pieces = _joined([piece for part in parts for piece in _pieces(part, tell)])
        if pieces and is_open:
            turns[-1] = turns[-1]._replace(pieces=_joined([*turns[-1].pieces, *pieces]))
        elif pieces:
            turns.append(Turn(pieces, options, system=system, chat=call.chat, needs=needs))
            is_open = True
    if len(turns) > 1 and not call.chat:
        turns = [turn._replace(chat="chat") for turn in turns]
    return turns


def get(given: Any, name: str) -> Any:
    """A value by its name on the wire, also where the code spells it with underscores."""
    held = values.mapping(given)
    snake = re.sub(r"(?<!^)([A-Z])", lambda found: f"_{found[1].lower()}", name)
    return held.get(name, held.get(snake))


def _flat(config: Any) -> dict[str, Any]:
    """The configuration with what REST puts one level deeper."""
    held = dict(values.mapping(config))
    inner = get(held, "generationConfig")
    return {**held, **values.mapping(inner)}


def _options(
    config: Mapping[str, Any], model: str, tell: Any
) -> tuple[dict[str, OptionValue], tuple[str, ...]]:
    """The options of a configuration, and the code that they need."""
    settings: dict[str, Any] = {"model": model}
    for name in (
        "temperature", "topP", "topK", "maxOutputTokens", "seed", "presencePenalty",
        "frequencyPenalty", "stopSequences", "candidateCount", "responseMimeType",
        "responseSchema", "responseModalities", "mediaResolution",
    ):  # fmt: skip
        value = get(config, name)
        if _is_unknown(value):
            tell("left-out", f"{name} is known only when the code runs")
        elif value is not None and not isinstance(value, Named):
            settings[name] = _plain(value)
    thinking, picture = get(config, "thinkingConfig"), get(config, "imageConfig")
    for name in ("thinkingBudget", "thinkingLevel"):
        if (value := get(thinking, name)) is not None and not _is_unknown(value):
            settings[name] = value
    for name, theirs in (("aspectRatio", "aspectRatio"), ("outputResolution", "imageSize")):
        if isinstance(value := get(picture, theirs), str) and value:  # "" is Get code's "default"
            settings[name] = value
    settings["safetySettings"] = _safety(get(config, "safetySettings"))
    tools = get(config, "tools")
    tools = tools if isinstance(tools, list) else [tools]
    settings |= _services(tools, tell)
    if not model:
        settings.pop("model")
    given = options_of(settings, tell)
    schema = get(config, "responseJsonSchema")
    if isinstance(schema, Mapping):
        given["schema"] = json.dumps(_plain(schema), ensure_ascii=False)
    needs: dict[str, None] = {}
    for one in (get(config, "responseSchema"), schema):
        if isinstance(one, Named):
            given["schema"] = one.expression
            needs |= dict.fromkeys(one.needs)
    if functions := [one for one in tools if isinstance(one, Named)]:
        given["tools"] = tuple(one.expression for one in functions)
        needs |= {text: None for one in functions for text in one.needs}
        names = ", ".join(one.expression for one in functions)
        tell("differs", f"the cell itself calls {names[:80]} when the model asks for it")
    speech = get(config, "speechConfig")
    voice = get(get(get(speech, "voiceConfig"), "prebuiltVoiceConfig"), "voiceName")
    if isinstance(voice, str) and voice:
        put(given, "voice", voice, "voiceName", tell)
    if get(speech, "multiSpeakerVoiceConfig") is not None:
        tell("left-out", "a cell speaks with one voice: multiSpeakerVoiceConfig is left out")
    return given, tuple(needs)


def _safety(rows: Any) -> list[Any]:
    """Rows of category and threshold, also from the old SDK's dicts and short names."""
    if isinstance(rows, Mapping):
        rows = [{"category": key, "threshold": value} for key, value in rows.items()]
    short = {"HATE": "HATE_SPEECH", "SEXUAL": "SEXUALLY_EXPLICIT", "SEX": "SEXUALLY_EXPLICIT",
             "DANGEROUS": "DANGEROUS_CONTENT", "DANGER": "DANGEROUS_CONTENT"}  # fmt: skip
    made = []
    for row in values.mappings(rows):
        name = values.text(row.get("category")).upper().removeprefix("HARM_CATEGORY_")
        threshold = values.text(row.get("threshold")).upper()
        made.append({"category": f"HARM_CATEGORY_{short.get(name, name)}", "threshold": threshold})
    return made


def _services(tools: list[Any], tell: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for tool in tools:
        if isinstance(tool, str):
            names = [tool]
        elif isinstance(tool, Mapping):
            names = list(tool)
        elif tool is None or isinstance(tool, Named):
            continue
        else:
            tell("left-out", "a tool that only the code knows is left out: --tools FUNCTION")
            continue
        for name in names:
            plain = name.replace("_", "").lower()
            if plain in ("googlesearch", "googlesearchretrieval"):
                found["enableSearchAsATool"] = True
            elif plain == "urlcontext":
                found["enableBrowseAsATool"] = True
            elif plain == "codeexecution":
                found["enableCodeExecution"] = True
            else:
                tell("left-out", f"the tool {name[:40]} is left out")
    return found


def _system(config: Mapping[str, Any], tell: Any) -> str | None:
    given = get(config, "systemInstruction")
    if given is None:
        return None
    found: list[Piece] = []
    for _, parts in _messages(given, tell):
        for part in parts:
            found += _pieces(part, tell)
    if any(not isinstance(one, Text) for one in found):
        tell("differs", "the system instruction holds a variable, whose name stands in its place")
    return "".join(
        one.text if isinstance(one, Text) else f"[{one.name}]" if isinstance(one, Slot) else ""
        for one in found
    )


def _messages(given: Any, tell: Any) -> Iterator[tuple[str, list[Any]]]:
    """Who said what, from any of the forms that contents may have."""
    if given is None:
        return
    if not isinstance(given, list):
        given = [given]
    loose: list[Any] = []
    for one in given:
        parts = get(one, "parts")
        if parts is None:
            loose.append(one)
            continue
        if loose:
            yield "user", loose
            loose = []
        role = get(one, "role")
        yield (
            "model" if role in ("model", "assistant") else "user",
            parts if isinstance(parts, list) else [parts],
        )
    if loose:
        yield "user", loose


def _pieces(part: Any, tell: Any, depth: int = 0) -> Iterator[Piece]:
    if isinstance(part, Formed):
        yield from part.pieces
    elif isinstance(part, str):
        if _PLACE.match(part):
            yield Slot("your_input", part)
        elif part:
            yield Text(part)
    elif isinstance(part, Missing | Address):
        yield part
    elif isinstance(part, Unknown):
        yield Slot(_short(part.source))
    elif isinstance(part, list) and depth < _DEEPEST:
        for one in part:
            yield from _pieces(one, tell, depth + 1)
    elif isinstance(part, Mapping):
        yield from _piece_of(part, tell)


def _piece_of(part: Mapping[str, Any], tell: Any) -> Iterator[Piece]:
    if (text := get(part, "text")) is not None:
        yield from _pieces(text, tell, _DEEPEST)
        return
    if (uri := get(get(part, "fileData"), "fileUri")) is not None:
        address = values.text(uri)
        watched = re.match(r"https?://(?:www\.)?(?:youtube\.com|youtu\.be)/|gs://", address)
        name = address or _short(getattr(uri, "source", "file"))
        yield Address(address) if watched else Missing("file", name, "the Files API")
        return
    if isinstance(image := part.get("image"), Mapping):  # Google's templates for Colab
        if address := values.text(image.get("image_url")):
            yield Address(address)
        elif name := values.text(image.get("drive_id")):
            link = f"https://drive.google.com/open?id={name}"
            yield Missing("image", name, "Google Drive", link)
        return
    for held in (get(part, "inlineData"), part):
        kind, data = get(held, "mimeType"), get(held, "data")
        if data is None:
            continue
        found = data.data if isinstance(data, Held) else values.data(data)
        if found:
            yield Media(found, values.text(kind) or "application/octet-stream")
        else:
            name = _short(getattr(data, "source", "file"))
            yield Missing("file", name, "read when the code runs")
        return
    tell("left-out", f"a part of a kind that no cell has is left out: {', '.join(part)[:60]}")


def _joined(pieces: list[Piece]) -> tuple[Piece, ...]:
    """Pieces, in which texts that follow each other are one."""
    found: list[Piece] = []
    for piece in pieces:
        before = found[-1] if found else None
        if isinstance(piece, Text) and isinstance(before, Text):
            found[-1] = Text(before.text + piece.text)
        else:
            found.append(piece)
    return tuple(found)


def _part(value: Any) -> Any:
    """A part of an answer as the wire writes it."""
    plain = _plain(value)
    return {"text": plain} if isinstance(plain, str) else plain


def _plain(value: Any) -> Any:
    """JSON values: what is none is its code, as text."""
    if isinstance(value, Formed):
        return "".join(p.text if isinstance(p, Text) else f"[{p.name}]" for p in value.pieces)
    if isinstance(value, Held):
        return base64.b64encode(value.data).decode("ascii")
    if isinstance(value, Unknown):
        return value.source
    if isinstance(value, Missing | Address):
        return value[1] if isinstance(value, Missing) else value.uri
    if isinstance(value, Mapping):
        return {_camel(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value


def _camel(name: str) -> str:
    known = (*INLINE, "mimeType", "executableCode", "codeExecutionResult")
    plain = name.replace("_", "").lower()
    return next((one for one in known if one.lower() == plain), name)


def _is_unknown(value: Any) -> bool:
    return isinstance(value, Unknown | Formed)


def _short(source: str) -> str:
    return identifier(source, "value")
