"""What a migrated program may need beside ``openai``: whole functions are copied into it from here.

They take prompts, settings, schemas and tools as the old SDK's programs write them, and give what
the chat endpoint takes. Each is copied with the imports and the other functions that it uses, so
nothing here may use anything else.
"""

from __future__ import annotations

import base64
import inspect
import io
import json
import sys
from types import SimpleNamespace
from typing import Any


def chat_request(model: dict[str, Any], contents: Any, **settings: Any) -> dict[str, Any]:
    """The arguments of one request: the model's, the prompt's messages, the call's own settings."""
    messages = [*model.get("messages", []), *as_messages(contents)]
    return {**with_settings(model, settings), "messages": messages}


def with_settings(model: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """A model's arguments with a call's: who only wants JSON gets it by the model's schema."""
    form = model.get("response_format")
    if form and form["type"] == "json_schema":
        wanted = settings.get("response_format")
        if wanted and wanted["type"] == "json_object":
            settings = {**settings, "response_format": form}
    return {**model, **settings}


def as_messages(contents: Any) -> list[dict[str, Any]]:
    """A prompt, or a history, as messages."""
    items = contents if isinstance(contents, (list, tuple)) else [contents]
    turns = [
        one
        for one in items
        if hasattr(one, "role") or (isinstance(one, dict) and ("role" in one or "parts" in one))
    ]
    if not turns:
        return as_turn("user", items)
    messages: list[dict[str, Any]] = []
    for one in items:
        if isinstance(one, dict) and "parts" in one:
            messages += as_turn(one.get("role", "user"), one["parts"])
        elif isinstance(one, dict):  # a message already
            messages.append(one)
        else:  # an answer's
            messages.append(as_message(one))
    return messages


def as_message(answer: Any) -> dict[str, Any]:
    """An answer's message as one of a request's."""
    message = {"role": "assistant", "content": answer.content}
    if answer.tool_calls:
        message["tool_calls"] = [call.model_dump(mode="json") for call in answer.tool_calls]
    return message


def call_of(message: Any) -> Any:
    """The function that an answer's message asks for; None where it asks for none."""
    return message.tool_calls[0].function if message.tool_calls else None


def as_turn(role: str, parts: Any) -> list[dict[str, Any]]:
    """The messages that one turn's parts make; answers of functions are messages of their own."""
    items = parts if isinstance(parts, (list, tuple)) else [parts]
    answers = [one["function_response"] for one in items
               if isinstance(one, dict) and "function_response" in one]  # fmt: skip
    messages: list[dict[str, Any]] = [
        {"role": "tool", "tool_call_id": one["name"], "content": json.dumps(one["response"])}
        for one in answers
    ]
    content = [as_part(one) for one in items
               if not (isinstance(one, dict) and "function_response" in one)]  # fmt: skip
    if role == "model":
        said = "".join(one.get("text", "") for one in content)
        return [*messages, {"role": "assistant", "content": said}]
    if len(content) == 1 and content[0]["type"] == "text":
        messages.append({"role": "user", "content": content[0]["text"]})
    elif content:
        messages.append({"role": "user", "content": content})
    return messages


def as_part(part: Any) -> dict[str, Any]:
    """A text, a picture or a blob as a part of a message."""
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if isinstance(part, dict) and "text" in part:
        return {"type": "text", "text": part["text"]}
    if isinstance(part, dict) and ("inline_data" in part or "data" in part):
        blob = part.get("inline_data", part)
        mime, data = blob["mime_type"], blob["data"]
        encoded = data if isinstance(data, str) else base64.b64encode(data).decode()
    elif hasattr(part, "save"):  # a picture of PIL's
        held = io.BytesIO()
        part.save(held, "PNG")
        mime, encoded = "image/png", base64.b64encode(held.getvalue()).decode()
    else:
        raise TypeError(f"this cannot be part of a message: {type(part).__name__}")
    url = f"data:{mime};base64,{encoded}"
    if mime.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": url}}
    if mime in ("audio/wav", "audio/mp3", "audio/mpeg"):
        form = "wav" if mime == "audio/wav" else "mp3"
        return {"type": "input_audio", "input_audio": {"data": encoded, "format": form}}
    name = "file." + mime.rpartition("/")[2]
    return {"type": "file", "file": {"filename": name, "file_data": url}}


def as_settings(config: Any) -> dict[str, Any]:
    """A generation config in the names of the chat endpoint; it knows no top_k."""
    names = {"max_output_tokens": "max_tokens", "candidate_count": "n", "stop_sequences": "stop",
             "response_logprobs": "logprobs", "logprobs": "top_logprobs"}  # fmt: skip
    given = {name: value for name, value in dict(config or {}).items() if value is not None}
    schema, mime = given.pop("response_schema", None), given.pop("response_mime_type", None)
    given.pop("top_k", None)
    made = {names.get(name, name): value for name, value in given.items()}
    if schema is not None:
        named = {"name": "answer", "schema": as_schema(schema)}
        made["response_format"] = {"type": "json_schema", "json_schema": named}
    elif mime is not None:
        form = "json_object" if mime == "application/json" else "text"
        made["response_format"] = {"type": form}
    return made


def as_schema(schema: Any) -> Any:
    """A schema as the old SDK takes it, in JSON schema's words; types are described by pydantic."""
    if isinstance(schema, list):
        return [as_schema(one) for one in schema]
    if not isinstance(schema, dict):
        from pydantic import TypeAdapter

        return TypeAdapter(schema).json_schema()
    made: dict[str, Any] = {}
    for name, value in schema.items():
        if name in ("type", "type_"):
            made["type"] = value.lower() if isinstance(value, str) else value
        elif name == "properties":
            made[name] = {key: as_schema(one) for key, one in value.items()}
        elif name == "items":
            made[name] = as_schema(value)
        elif name not in ("format_", "nullable"):
            made[name] = value
    return made


def as_tools(tools: Any) -> list[dict[str, Any]]:
    """Functions and declarations of functions as tools."""
    made: list[dict[str, Any]] = []
    for tool in [tools] if isinstance(tools, dict) or callable(tools) else tools:
        if isinstance(tool, dict) and "function_declarations" in tool:
            made += as_tools(tool["function_declarations"])
            continue
        if isinstance(tool, dict):
            function = {name: tool[name] for name in ("name", "description") if name in tool}
            if tool.get("parameters"):
                function["parameters"] = as_schema(tool["parameters"])
        else:
            function = {"name": tool.__name__, "description": inspect.getdoc(tool) or "",
                        "parameters": as_schema(tool)}  # fmt: skip
        made.append({"type": "function", "function": function})
    return made


def as_tool_choice(config: Any) -> Any:
    """Which functions may, or have to, be called."""
    asked = config["function_calling_config"]
    mode = asked if isinstance(asked, str) else asked.get("mode", "auto")
    names = [] if isinstance(asked, str) else asked.get("allowed_function_names", [])
    if len(names) == 1:
        return {"type": "function", "function": {"name": names[0]}}
    return {"any": "required", "auto": "auto", "none": "none"}[mode.lower()]


def text_of(answer: Any) -> str:
    """The text of an answer, or of a piece of one."""
    if not answer.choices:
        return ""
    choice = answer.choices[0]
    return (choice.delta if hasattr(choice, "delta") else choice.message).content or ""


class Conversation:
    """A model's arguments, and the messages so far."""

    def __init__(self, client: Any, model: dict[str, Any], history: Any = ()) -> None:
        self.client = client
        self.model = model
        self.messages = as_messages(history) if history else []

    def request(self, new: list[dict[str, Any]], settings: dict[str, Any]) -> dict[str, Any]:
        """The arguments of a request with new messages."""
        called = {call["function"]["name"]: call["id"] for message in self.messages
                  for call in message.get("tool_calls") or ()}  # fmt: skip
        for message in new:
            if message["role"] == "tool":
                message["tool_call_id"] = called[message["tool_call_id"]]
        before = self.model.get("messages", [])
        messages = [*before, *self.messages, *new]
        return {**with_settings(self.model, settings), "messages": messages}


class Chat(Conversation):
    """A conversation."""

    def send(self, content: Any, **settings: Any) -> Any:
        """Ask; the question and the answer are kept. With ``stream=True``, pieces of the answer."""
        new = as_messages(content)
        answer = self.client.chat.completions.create(**self.request(new, settings))
        self.messages += new
        if settings.get("stream"):
            return self.pieces(answer)
        self.messages.append(as_message(answer.choices[0].message))
        return answer

    def pieces(self, stream: Any) -> Any:
        """The pieces of an answer; their text is kept."""
        said = ""
        for piece in stream:
            if piece.choices:
                said += piece.choices[0].delta.content or ""
            yield piece
        self.messages.append({"role": "assistant", "content": said})


class AsyncChat(Conversation):
    """A conversation that is awaited."""

    async def send(self, content: Any, **settings: Any) -> Any:
        """Ask; the question and the answer are kept. With ``stream=True``, pieces of the answer."""
        new = as_messages(content)
        answer = await self.client.chat.completions.create(**self.request(new, settings))
        self.messages += new
        if settings.get("stream"):
            return self.pieces(answer)
        self.messages.append(as_message(answer.choices[0].message))
        return answer

    async def pieces(self, stream: Any) -> Any:
        """The pieces of an answer; their text is kept."""
        said = ""
        async for piece in stream:
            if piece.choices:
                said += piece.choices[0].delta.content or ""
            yield piece
        self.messages.append({"role": "assistant", "content": said})


class Picture:
    """A picture, with what google-genai's has."""

    def __init__(self, image_bytes: bytes, mime_type: str) -> None:
        self.image_bytes = image_bytes
        self.mime_type = mime_type

    def save(self, location: str) -> None:
        """Write it to a file."""
        with open(location, "wb") as file:
            file.write(self.image_bytes)

    def show(self) -> None:
        """Show it in the notebook, else in a window."""
        from PIL import Image

        picture = Image.open(io.BytesIO(self.image_bytes))
        if "ipykernel" in sys.modules:
            from IPython.display import display

            display(picture)  # type: ignore[no-untyped-call]
        else:
            picture.show()


def generate_images(client: Any, *, model: str, prompt: str, config: Any = None) -> Any:
    """What google-genai's models.generate_images gave, from OpenAI's images API."""
    given = config.model_dump(exclude_none=True) if hasattr(config, "model_dump") else config or {}
    wide, tall = "1536x1024", "1024x1536"
    sizes = {"1:1": "1024x1024", "4:3": wide, "16:9": wide, "3:4": tall, "9:16": tall}
    more: dict[str, Any] = {"n": given.get("number_of_images") or 4}
    if given.get("aspect_ratio") in sizes:
        more["size"] = sizes[given["aspect_ratio"]]
    if not model.startswith(("gpt-image", "chatgpt-image")):  # they give nothing else
        more["response_format"] = "b64_json"
    answer = client.images.generate(model=model, prompt=prompt, **more)
    images = [Picture(base64.b64decode(one.b64_json), "image/png") for one in answer.data]
    return SimpleNamespace(generated_images=[SimpleNamespace(image=one) for one in images])
