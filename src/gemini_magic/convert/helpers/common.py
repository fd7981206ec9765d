"""Helpers of every script: answers, what goes into a prompt, what a notebook shows."""

from __future__ import annotations

import base64
import contextlib
import csv
import dataclasses
import inspect
import io
import json
import math
import mimetypes
import os
import subprocess
import sys
import threading
import time
import typing
import urllib.parse
import urllib.request
import wave
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple


class Media(NamedTuple):
    """A picture, sound, film or document: its bytes, or where they are."""

    mime_type: str
    data: bytes = b""
    uri: str = ""
    name: str = ""


class Usage(NamedTuple):
    """Tokens as the service counted them; None where it did not say."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    thought_tokens: int | None = None
    cached_tokens: int | None = None


class ToolCall(NamedTuple):
    """A function that the model wanted called; ``arguments`` is JSON as text."""

    name: str
    arguments: str
    id: str = ""


class ToolResult(NamedTuple):
    """What it gave back, as JSON; whether it raised or took too long."""

    name: str
    content: str
    id: str = ""
    failed: bool = False


class ToolUse(NamedTuple):
    """One call of a function, what it gave back, and how many seconds that took."""

    call: ToolCall
    result: ToolResult
    seconds: float


class Citation(NamedTuple):
    """A source that an answer names."""

    uri: str
    title: str = ""


@dataclasses.dataclass
class Reply:
    """An answer."""

    text: str = ""
    media: list[Media] = dataclasses.field(default_factory=list)
    parsed: Any = None
    finish_reason: str = ""
    usage: Usage = dataclasses.field(default_factory=Usage)  # if usage
    model: str = ""  # if model
    tool_calls: tuple[ToolUse, ...] = ()  # if tool_calls
    citations: tuple[Citation, ...] = ()  # if citations

    def __str__(self) -> str:
        return self.text

    @property
    def complete(self) -> bool:
        """Whether the model ended the answer by itself."""
        return self.finish_reason == "STOP"

    @property
    def json(self) -> Any:
        """The answer read as JSON."""
        return json.loads(self.text)

    @property
    def code(self) -> str:
        """The first fenced block of the answer, else the whole answer."""
        before, fence, rest = self.text.partition("```")
        return (
            rest.partition("\n")[2].partition("```")[0].rstrip("\n")
            if fence
            else before
        )

    @property
    def images(self) -> list[Any]:
        """The pictures, as Pillow has them."""
        from PIL import Image

        pictures = [one for one in self.media if one.mime_type.startswith("image/")]
        return [Image.open(io.BytesIO(one.data)) for one in pictures]


def saved(reply: Reply, stem: str) -> Reply:
    """Write the pictures and sounds of an answer into files: STEM_1.png, STEM_2.wav."""
    for one in reply.media:
        number = SAVED[stem] = SAVED.get(stem, 0) + 1
        ending = mimetypes.guess_extension(one.mime_type) or ".bin"
        path = Path(f"{stem}_{number}{ending}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(one.data)
        print(path)
    return reply


SAVED: dict[str, int] = {}


def prompt_of(*values: Any) -> list[str | Media]:
    """What a prompt is made of, in order: texts that stand side by side are one."""
    found: list[str | Media] = []
    for value in values:
        for one in parts_of(value):
            if isinstance(one, str) and found and isinstance(found[-1], str):
                found[-1] += one
            elif one != "":
                found.append(one)
    return found


def parts_of(value: Any) -> list[str | Media]:
    """The texts, pictures and files that a value is to a model."""
    if isinstance(value, str):
        return [str.__str__(value)]
    if isinstance(value, Media):
        return [value]
    if isinstance(value, Reply):
        return [value.text, *value.media] if value.media else [value.text]
    if isinstance(value, Path):
        return [file_of(value, titled=False)]
    if isinstance(value, bytes) and (kind := picture_type(value)):
        return [Media(kind, value)]
    if isinstance(value, list | tuple) and any(is_media(one) for one in value):
        return [part for one in value for part in parts_of(one)]
    if hasattr(value, "to_csv") or hasattr(value, "write_csv"):
        return [table_text(value)]
    if is_media(value):
        return [picture_of(value)]
    return [str(value)]


def titled(value: Any, name: str) -> list[str | Media]:
    """What a value is to a model; texts have a name before them."""
    name = value.name if isinstance(value, Path) else name
    return [
        content_of(one.encode(), name, "text/plain") if isinstance(one, str) else one
        for one in parts_of(value)
    ]


def is_media(value: Any) -> bool:
    """Whether a value is a picture or a file."""
    if isinstance(value, Media | Path):
        return True
    return any(
        (kind.__module__.partition(".")[0], kind.__name__) in PICTURES
        for kind in type(value).__mro__
    ) or (
        type(value).__module__ == "numpy" and getattr(value, "dtype", None) == "uint8"
    )


PICTURES = {("PIL", "Image"), ("matplotlib", "Figure"), ("matplotlib", "Axes")}


def picture_of(value: Any) -> Media:
    """A picture of Pillow, matplotlib or NumPy, as PNG; a photo stays JPEG."""
    buffer = io.BytesIO()
    while not hasattr(value, "savefig") and hasattr(value, "figure"):
        value = value.figure
    if hasattr(value, "savefig"):
        value.savefig(buffer, format="png", bbox_inches="tight")
        return Media("image/png", buffer.getvalue())
    if not hasattr(value, "save"):
        from PIL import Image

        value = Image.fromarray(value)
    if getattr(value, "format", None) == "JPEG" and value.mode in ("L", "RGB"):
        value.save(buffer, format="JPEG", quality="keep")
        return Media("image/jpeg", buffer.getvalue())
    value.save(buffer, format="PNG")
    return Media("image/png", buffer.getvalue())


def picture_type(data: bytes) -> str:
    """The type of a picture, film or document by its first bytes, else empty."""
    heads = {
        b"\x89PNG": "image/png",
        b"\xff\xd8\xff": "image/jpeg",
        b"GIF8": "image/gif",
        b"%PDF": "application/pdf",
    }
    if data[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(data[8:12], "")
    return next((kind for head, kind in heads.items() if data.startswith(head)), "")


def file_of(
    path: str | Path, mime_type: str = "", *, titled: bool = True
) -> str | Media:
    """A file; one of text is its text, with its name before it if it is ``titled``."""
    path = Path(path).expanduser()
    return content_of(path.read_bytes(), path.name, mime_type, titled=titled)


def media_of(mime_type: str, text: str, name: str = "") -> Media:
    """A small file, from its base64."""
    return Media(mime_type, base64.b64decode(text), name=name)


def input_file(path: str, mime_type: str, name: str = "") -> Media:
    """A file that was written beside this script."""
    return Media(
        mime_type, (Path(__file__).with_name("inputs") / path).read_bytes(), name=name
    )


def content_of(
    data: bytes, name: str, mime_type: str = "", *, titled: bool = True
) -> str | Media:
    """The bytes of a file as part of a prompt."""
    kind = (
        mime_type or picture_type(data) or mimetypes.guess_type(name)[0] or "text/plain"
    )
    if not kind.startswith("text/") and kind != "application/json":
        return Media(kind, data, name=name)
    text = data.decode("utf-8-sig")
    if not titled:
        return text
    end = "" if not text or text.endswith("\n") else "\n"
    return f"--- {name} ---\n{text}{end}\n"


def fetched(url: str) -> str | Media:
    """What an address names."""
    with urllib.request.urlopen(url) as answer:
        data = answer.read()
    name = urllib.parse.unquote(urllib.parse.urlsplit(url).path.rpartition("/")[2])
    return content_of(data, name)


def table_text(table: Any, form: str = "csv") -> str:
    """A DataFrame as CSV or as a Markdown table; any other value in that format."""
    if hasattr(table, "to_csv"):
        text = table.to_csv()
    elif hasattr(table, "write_csv"):
        text = table.write_csv()
    else:
        return format(table, form)
    if form == "csv":
        return str(text)
    rows = [
        [
            " ".join(cell.replace("\\", "\\\\").replace("|", "\\|").split())
            for cell in row
        ]
        for row in csv.reader(io.StringIO(text, newline=""))
    ]
    if rows:
        rows.insert(1, ["---"] * len(rows[0]))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def parsed(reply: Reply, kind: Any = None, *, unwrap: bool = False) -> Reply:
    """Read an answer's JSON as a value of a type; without one it stays JSON."""
    text = reply.text.strip()
    if text.startswith("```"):
        text = reply.code
    value = json.loads(text)
    alone = isinstance(value, dict) and list(value) in (["items"], ["value"])
    inner = next(iter(value.values())) if alone else None
    if kind is None or isinstance(kind, dict):
        reply.parsed = inner if alone and unwrap else value
        return reply
    from pydantic import TypeAdapter, ValidationError

    try:
        reply.parsed = TypeAdapter(kind).validate_json(text)
    except ValidationError:
        if not alone:
            raise
        reply.parsed = TypeAdapter(kind).validate_json(json.dumps(inner))
    return reply


def repaired(
    ask: Callable[[Any, list[Any]], Reply],
    prompt: Any,
    kind: Any,
    history: list[Any] | None = None,
) -> Reply:
    """Ask, again if the answer does not fit; ``ask`` gets a prompt and a history."""
    before = history or []
    turns = [*before]
    reply = ask(prompt, turns)
    try:
        reply = parsed(reply, kind)
    except ValueError as error:
        correction = (
            f"Your answer does not fit the JSON schema: {misfit(error)}. Give the whole"
            " answer again, corrected, as JSON that fits the schema, and nothing else."
        )
        later = [*turns]
        reply = parsed(ask(correction, later), kind)
        turns[-1] = later[-1]
    if history is not None:
        history += turns[len(before) :]
    return reply


def misfit(error: Any) -> str:
    """What is wrong with an answer, in one line."""
    if isinstance(error, json.JSONDecodeError):
        if not error.doc.strip():
            return "no JSON: it is empty"
        return f"no JSON: {error.msg} at line {error.lineno}, column {error.colno}"
    first = error.errors(include_url=False, include_context=False)[0]
    path = ""
    for step in first["loc"]:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    shown = repr(first["input"])
    shown = shown if len(shown) <= 60 else f"{shown[:59]}…"
    said = first["msg"].removeprefix("Input ").removeprefix("Value error, ")
    text = f"{said.partition(', unable to parse')[0]}, got {shown}"
    if first["type"] == "missing":
        text = "is missing"
    elif first["type"] == "extra_forbidden":
        text = "is not known here"
    return " ".join((f"{path}: {text}" if path else text).split())[:400]


def shrunk(prompt: str | list[str | Media], most: int) -> list[str | Media]:
    """A prompt whose pictures have at most so many pixels."""
    return [
        smaller(one, most)
        if isinstance(one, Media) and one.data and one.mime_type.startswith("image/")
        else one
        for one in ([prompt] if isinstance(prompt, str) else prompt)
    ]


def smaller(media: Media, most: int) -> Media:
    """A picture with at most so many pixels, upright."""
    from PIL import Image

    picture: Any = Image.open(io.BytesIO(media.data))
    if picture.width * picture.height <= most:
        return media
    scale = math.sqrt(most / (picture.width * picture.height))
    wide = min(most, max(1, int(picture.width * scale)))
    high = max(1, min(int(picture.height * scale), most // wide))
    size = (min(wide, most // high), high)
    picture.draft(None, size)
    exif, profile = picture.getexif(), picture.info.get("icc_profile")
    if picture.mode not in ("L", "LA", "RGB", "RGBA", "CMYK"):
        picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    small = picture.resize(size, reducing_gap=3.0)
    turns = Image.Transpose
    turn = {
        2: turns.FLIP_LEFT_RIGHT,
        3: turns.ROTATE_180,
        4: turns.FLIP_TOP_BOTTOM,
        5: turns.TRANSPOSE,
        6: turns.ROTATE_270,
        7: turns.TRANSVERSE,
        8: turns.ROTATE_90,
    }.get(exif.get(274))
    if turn is not None:
        small = small.transpose(turn)
    form = {"image/jpeg": "JPEG", "image/webp": "WEBP", "image/gif": "GIF"}
    more: dict[str, Any] = {"icc_profile": profile} if profile else {}
    if media.mime_type in ("image/jpeg", "image/webp"):
        more["quality"] = 90
    buffer = io.BytesIO()
    small.save(buffer, format=form.get(media.mime_type, "PNG"), **more)
    kind = media.mime_type if media.mime_type in form else "image/png"
    return Media(kind, buffer.getvalue(), name=media.name)


def json_schema(kind: Any) -> Any:
    """The JSON schema of a type, or of a function's arguments."""
    if isinstance(kind, dict):
        return kind
    from pydantic import TypeAdapter

    schema = TypeAdapter(kind).json_schema()
    if schema.get("type") == "object" or "properties" in schema:
        return schema
    key = "items" if schema.get("type") == "array" else "value"
    defs = {"$defs": schema.pop("$defs")} if "$defs" in schema else {}
    return {"type": "object", "properties": {key: schema}, "required": [key], **defs}


def called(
    functions: Mapping[str, Callable[..., Any]],
    name: str,
    arguments: Any,
    seconds: float | None = None,
) -> tuple[Any, bool]:
    """What a function gives for these arguments, as JSON values, and whether it failed.

    One that takes longer than ``seconds`` is left behind.
    """
    function = functions.get(name)
    if function is None:
        return f"there is no function {name!r}; there are: {', '.join(functions)}", True
    try:
        given = fitting(function, arguments)
    except Exception as error:
        return f"wrong arguments: {' '.join(str(error).split())}", True

    def work() -> tuple[Any, bool]:
        try:
            value = function(**given)
            return plain(awaited(value) if inspect.isawaitable(value) else value), False
        except Exception as error:
            return f"{type(error).__name__}: {error}" if str(error) else type(
                error
            ).__name__, True

    if seconds is None:
        return work()
    found = [(f"it took longer than {seconds:g} s", True)]
    thread = threading.Thread(target=lambda: found.append(work()), daemon=True)
    thread.start()
    thread.join(seconds)
    return found[-1]


def used(call: ToolCall, value: Any, failed: bool, began: float) -> ToolUse:
    """A call that is over, which began at that time of ``time.monotonic``."""
    content = json.dumps(value, ensure_ascii=False)
    result = ToolResult(call.name, content, call.id, failed)
    return ToolUse(call, result, time.monotonic() - began)


def fitting(function: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments as values of the types that the function's hints name."""
    from pydantic import PydanticUserError, TypeAdapter

    hints = typing.get_type_hints(
        getattr(function, "__func__", function), include_extras=True
    )
    given = dict(arguments)
    for name in given.keys() & hints.keys():
        with contextlib.suppress(PydanticUserError):  # of no type that it knows
            given[name] = TypeAdapter(hints[name]).validate_json(
                json.dumps(given[name])
            )
    return given


def awaited(value: Any) -> Any:
    """The end of what an async function began, whether or not a loop runs here."""
    import asyncio

    async def wait() -> Any:
        return await value

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, wait()).result()


def plain(value: Any) -> Any:
    """A value of any kind as JSON has it."""
    if isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Reply):
        return value.text
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            one.name: plain(getattr(value, one.name))
            for one in dataclasses.fields(value)
        }
    if hasattr(value, "columns") and hasattr(value, "to_dict"):
        return plain(value.to_dict("records"))
    for name in ("model_dump", "isoformat", "tolist", "to_dict"):
        if hasattr(value, name):
            return plain(getattr(value, name)())
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset | range | Iterator):
        return [plain(one) for one in value]
    return str(value)


def modern(kind: Any) -> Any:
    """A type whose TypedDicts are those that pydantic reads before Python 3.12."""
    if typing.is_typeddict(kind) and type(kind).__module__ == "typing":
        import typing_extensions

        make: Any = typing_extensions.TypedDict
        hints = typing.get_type_hints(kind, include_extras=True)
        fields = {name: modern(hint) for name, hint in hints.items()}
        return make(kind.__name__, fields, total=kind.__total__)
    inner = tuple(modern(one) for one in typing.get_args(kind))
    origin: Any = typing.get_origin(kind)
    if (
        not inner
        or origin in (typing.Literal, typing.Annotated)
        or inner == typing.get_args(kind)
    ):
        return kind
    return kind.copy_with(inner) if hasattr(kind, "copy_with") else origin[inner]


def wav(samples: bytes, rate: int = 24_000) -> bytes:
    """16-bit samples of one channel as a WAV file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples[: len(samples) // 2 * 2])
    return buffer.getvalue()


def data_url(media: Media) -> str:
    """The bytes as an address that holds them."""
    return f"data:{media.mime_type};base64,{base64.b64encode(media.data).decode()}"


def shell(command: str) -> list[str]:
    """The lines that a command prints."""
    done = subprocess.run(
        command, shell=True, stdout=subprocess.PIPE, text=True, check=False
    )
    return done.stdout.splitlines()


def show(value: Any) -> Any:
    """Print a value as a notebook shows a cell's last; an answer was printed before."""
    if value is not None and not isinstance(value, Reply):
        print(value.to_string() if hasattr(value, "to_string") else repr(value))
    return value


def show_value(value: Any) -> Any:
    """Print a value as a notebook shows the last one of a cell."""
    if value is not None:
        print(value.to_string() if hasattr(value, "to_string") else repr(value))
    return value


def display(*values: Any, **_: Any) -> None:
    """Print what a notebook would display."""
    for value in values:
        if value is not None:
            print(value if isinstance(value, str) else repr(value))


def Markdown(data: Any = "", *_: Any, **__: Any) -> Any:
    """Text is shown as it is."""
    return data


def clear_output(*_: Any, **__: Any) -> None:
    """What was printed stays."""


class notebook_display:
    """IPython's display module."""

    display = staticmethod(display)
    clear_output = staticmethod(clear_output)
    Markdown = HTML = Latex = Code = JSON = Pretty = Math = SVG = staticmethod(Markdown)
    Image = Audio = Video = IFrame = Javascript = staticmethod(Markdown)


class IPython:
    """What of IPython means something outside of a notebook."""

    display = notebook_display


class NotHere:
    """Something that a notebook alone has: to use it says so, and does nothing."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return NotHere(f"{self.name}.{name}")

    def __call__(self, *_: Any, **__: Any) -> Any:
        print(f"{self.name} is not there outside of a notebook", file=sys.stderr)
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter(())


class userdata:
    """Colab's secrets: here they are in the environment."""

    class SecretNotFoundError(Exception):
        """A secret is not there."""

    class NotebookAccessError(Exception):
        """A secret may not be read."""

    @staticmethod
    def get(name: str) -> str:
        if name not in os.environ:
            raise userdata.SecretNotFoundError(
                f"Set the environment variable {name} first."
            )
        return os.environ[name]
