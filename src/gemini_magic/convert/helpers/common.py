"""Helpers of every script: answers, what goes into a prompt, what a notebook shows."""

from __future__ import annotations

import base64
import csv
import dataclasses
import inspect
import io
import json
import mimetypes
import os
import subprocess
import urllib.parse
import urllib.request
import wave
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple


class Media(NamedTuple):
    """A picture, sound, film or document: its bytes, or where they are."""

    mime_type: str
    data: bytes = b""
    uri: str = ""
    name: str = ""


@dataclasses.dataclass
class Reply:
    """An answer."""

    text: str = ""
    media: list[Media] = dataclasses.field(default_factory=list)
    parsed: Any = None
    finish_reason: str = ""

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
        return rest.partition("\n")[2].partition("```")[0].rstrip("\n") if fence else before

    @property
    def images(self) -> list[Any]:
        """The pictures, as Pillow has them."""
        from PIL import Image

        pictures = [one for one in self.media if one.mime_type.startswith("image/")]
        return [Image.open(io.BytesIO(one.data)) for one in pictures]


def saved(reply: Reply, stem: str) -> Reply:
    """Write the pictures and sounds of an answer into files: STEM_1.png, STEM_2.wav, ..."""
    for number, one in enumerate(reply.media, 1):
        ending = mimetypes.guess_extension(one.mime_type) or ".bin"
        path = Path(f"{stem}_{number}{ending}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(one.data)
        print(path)
    return reply


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
    ) or (type(value).__module__ == "numpy" and getattr(value, "dtype", None) == "uint8")


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
    """The type of a picture, film or document by its first bytes; empty for what is none."""
    heads = {
        b"\x89PNG": "image/png",
        b"\xff\xd8\xff": "image/jpeg",
        b"GIF8": "image/gif",
        b"%PDF": "application/pdf",
    }
    if data[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(data[8:12], "")
    return next((kind for head, kind in heads.items() if data.startswith(head)), "")


def file_of(path: str | Path, mime_type: str = "", *, titled: bool = True) -> str | Media:
    """A file; one of text is its text, with its name before it if it is ``titled``."""
    path = Path(path).expanduser()
    return content_of(path.read_bytes(), path.name, mime_type, titled=titled)


def content_of(data: bytes, name: str, mime_type: str = "", *, titled: bool = True) -> str | Media:
    """The bytes of a file as part of a prompt."""
    kind = mime_type or picture_type(data) or mimetypes.guess_type(name)[0] or "text/plain"
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
        [" ".join(cell.replace("\\", "\\\\").replace("|", "\\|").split()) for cell in row]
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


def called(function: Callable[..., Any] | None, name: str, arguments: Any) -> tuple[Any, bool]:
    """What a function gives for these arguments, as JSON values, and whether it failed."""
    if function is None:
        return f"there is no function {name!r}", True
    try:
        value = function(**arguments)
        if inspect.isawaitable(value):
            value = awaited(value)
        return json.loads(json.dumps(value, default=plain, allow_nan=False)), False
    except Exception as error:
        return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__, True


def awaited(value: Any) -> Any:
    """The end of what an async function began, whether or not a loop is running here."""
    import asyncio

    async def wait() -> Any:
        return await value

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, wait()).result()


def plain(value: Any) -> Any:
    """A value of some class, simpler."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    for name in ("model_dump", "isoformat", "tolist"):
        if hasattr(value, name):
            return getattr(value, name)()
    return list(value) if isinstance(value, set | frozenset | range) else str(value)


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
    done = subprocess.run(command, shell=True, stdout=subprocess.PIPE, text=True, check=False)
    return done.stdout.splitlines()


def show(value: Any) -> Any:
    """Print a value as a notebook shows the last one of a cell; an answer was printed already."""
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


def environment(name: str) -> str:
    """A value that has to be in the environment."""
    if name not in os.environ:
        raise SystemExit(f"Set the environment variable {name} first.")
    return os.environ[name]


class userdata:
    """Colab's secrets: here they are in the environment."""

    @staticmethod
    def get(name: str) -> str:
        return environment(name)
