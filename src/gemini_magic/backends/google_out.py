"""What goes out on Gemini's wire: messages as contents, and which parts are too large to go along.

Nothing of the SDK is imported before the first use.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gemini_magic.types import Code, CodeOutput, Message, Part, Request, Step, ToolCall, ToolResult

if TYPE_CHECKING:
    from google.genai import types as wire

#: The most bytes of a whole request, Base64 and JSON included. Google documents 20 MB as the size
#: from which files are to be uploaded; newer words allow more for some kinds of file, but not on
#: every model. Source: https://ai.google.dev/gemini-api/docs/files
MAX_REQUEST = 20_000_000
#: What JSON puts around a part or a message, at most.
_AROUND = 250
#: Stands for the signature of a call that Gemini 3 did not make itself (another service's turn).
#: Source: https://ai.google.dev/gemini-api/docs/thought-signatures, its questions and answers
UNSIGNED = b"skip_thought_signature_validator"

_GENERATION = re.compile(r"gemini-(\d+)(?:\.(\d+))?")


def generation(model: str) -> tuple[int, int]:
    """A Gemini's version, (2, 5) for gemini-2.5-pro; a name that tells none is the newest."""
    found = _GENERATION.search(model.lower())
    return (int(found[1]), int(found[2] or 0)) if found else (99, 0)


def too_large(request: Request) -> list[Part]:
    """The parts that have to be uploaded: files, and the largest data until the rest fits."""
    media: Counter[Part] = Counter()
    files: dict[Part, None] = {}
    size = _json(request.system) + _json(request.schema) + sum(map(_json, request.tools))
    for message in request.messages:
        size += _AROUND
        for part in message.parts:
            if part.file is not None:
                files[part] = None
            elif part.data is not None:
                media[part] += 1
            size += _AROUND + _size(part)
    largest = sorted(media, key=lambda part: len(part.data or b""), reverse=True)
    for part in largest:
        if size <= MAX_REQUEST:
            break
        size -= _size(part) * media[part]
        files[part] = None
    return list(files)


def _size(part: Part) -> int:
    """The bytes of a part as JSON."""
    signature = len(part.signature or b"") * 4 // 3
    if part.data is not None:
        return signature + (len(part.data) + 2) // 3 * 4
    return signature + sum(
        _json(one)
        for one in (
            part.text, part.uri, part.call, part.result, part.code, part.output, part.step,
        )
        if one is not None
    )  # fmt: skip


def _json(value: Any) -> int:
    return len(json.dumps(value)) if value is not None else 0


def contents(
    messages: Sequence[Message],
    model: str,
    uris: Mapping[Part, str] | None = None,
    *,
    steps: bool = False,
) -> list[wire.Content]:
    """The messages as the wire has them; ``uris`` is where uploaded parts are.

    ``steps``: with what the service's own tools were asked and gave, as a request wants it that
    combines them with functions; others know nothing of it. What functions gave back goes by its
    call's name and id; a thought signature goes back with the part that carried it.
    """
    from google.genai import types as wire

    must_sign = "gemini" in model and generation(model) >= (3, 0)
    made: list[wire.Content] = []
    for message in messages:
        said = [part for part in _said(message) if steps or part.step is None]
        if message.parts and not said:
            continue
        parts = [_part(part, uris or {}) for part in said]
        calls = [part for part in parts if part.function_call is not None]
        if must_sign and calls and calls[0].thought_signature is None:
            calls[0].thought_signature = UNSIGNED
        made.append(wire.Content(role=message.role, parts=parts))
    return made


def _said(message: Message) -> Sequence[Part]:
    """The parts without empty texts, which the wire refuses unless they carry a signature.

    An empty message stays as it is.
    """
    said = [part for part in message.parts if part.text != "" or part.signature is not None]
    return said or message.parts


def _part(part: Part, uris: Mapping[Part, str]) -> wire.Part:
    from google.genai import types as wire

    made = wire.Part(thought_signature=part.signature)
    uri = part.uri or uris.get(part)
    if part.text is not None:
        made.text = part.text
    elif uri is not None:
        made.file_data = wire.FileData(file_uri=uri, mime_type=part.mime_type)
    elif part.data is not None:
        made.inline_data = wire.Blob(data=part.data, mime_type=part.mime_type)
    elif part.call is not None:
        made.function_call = _call(part.call)
    elif part.result is not None:
        made.function_response = _result(part.result)
    elif part.code is not None:
        made.executable_code = _code(part.code)
    elif part.output is not None:
        made.code_execution_result = _output(part.output)
    elif part.step is not None:
        _take_step(made, part.step)
    else:
        raise ValueError("a file has to be uploaded first")
    return made


def _call(call: ToolCall) -> wire.FunctionCall:
    from google.genai import types as wire

    arguments = _value(call.arguments)
    return wire.FunctionCall(
        name=call.name, id=call.id or None, args=arguments if isinstance(arguments, dict) else {}
    )


def _result(result: ToolResult) -> wire.FunctionResponse:
    from google.genai import types as wire

    value = _value(result.content)
    if result.failed:
        value = {"error": value}
    elif not isinstance(value, dict):
        value = {"result": value}
    return wire.FunctionResponse(name=result.name, id=result.id or None, response=value)


def _value(text: str) -> Any:
    """What a JSON text says; one that is none stays text. NaN and Infinity, too, are no JSON."""
    try:
        return json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):
        return text


def _code(code: Code) -> wire.ExecutableCode:
    from google.genai import types as wire

    known = code.language.lower() == "python"
    language = wire.Language.PYTHON if known else wire.Language.LANGUAGE_UNSPECIFIED
    return wire.ExecutableCode(id=code.id or None, code=code.source, language=language)


def _output(output: CodeOutput) -> wire.CodeExecutionResult:
    from google.genai import types as wire

    outcome = wire.Outcome.OUTCOME_FAILED if output.failed else wire.Outcome.OUTCOME_OK
    return wire.CodeExecutionResult(id=output.id or None, outcome=outcome, output=output.text)


def _take_step(made: wire.Part, step: Step) -> None:
    from google.genai import types as wire

    tool, content = wire.ToolType(step.tool) if step.tool else None, _value(step.content)
    if step.answer:
        made.tool_response = wire.ToolResponse(id=step.id or None, tool_type=tool, response=content)
    else:
        made.tool_call = wire.ToolCall(id=step.id or None, tool_type=tool, args=content)
