"""The run settings in Gemini's words; what the wire or the model cannot say is told."""

from __future__ import annotations

import functools
import json
import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from gemini_magic import catalog
from gemini_magic.backends.google_out import generation
from gemini_magic.errors import UsageError
from gemini_magic.types import CODE_EXECUTION, SEARCH, URL_CONTEXT, Request, Settings

if TYPE_CHECKING:
    from google.genai import types as wire

#: How AI Studio's four levels are spelt as a budget, for models that know no levels (2.5).
_BUDGETS = {"off": 0, "low": 1024, "medium": 8192, "high": 24576}
#: The least that a 2.5 Pro thinks. Source: https://ai.google.dev/gemini-api/docs/thinking
_LEAST_OF_PRO = 128

#: AI Studio's slider, over the four categories that it has.
#: Source: https://ai.google.dev/gemini-api/docs/safety-settings
_BLOCKED = {
    "off": "OFF",
    "none": "BLOCK_NONE",
    "few": "BLOCK_ONLY_HIGH",
    "some": "BLOCK_MEDIUM_AND_ABOVE",
    "most": "BLOCK_LOW_AND_ABOVE",
}
_HARMS = ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT")

#: What pictures may be. Source: google-genai 3.4.0, ImageSize and AspectRatio in its types
_SIZES = ("512", "1K", "2K", "4K")
_ASPECTS = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9", "1:4", "4:1",
            "1:8", "8:1")  # fmt: skip
_PIXELS = re.compile(r"(\d{1,5})\s*[x×]\s*(\d{1,5})", re.I)


class Asked(NamedTuple):
    """The wire's configuration, and what the user should know of it."""

    config: wire.GenerateContentConfig
    notices: tuple[str, ...]


def combines(request: Request) -> bool:
    """Whether functions go together with the service's own tools.

    The service then says what its tools were asked and gave, and wants it back with the history.
    Source: https://ai.google.dev/gemini-api/docs/generate-content/tool-combination
    """
    return bool(request.tools and request.services)


def refuse(request: Request, model: str, *, vertex: bool = False) -> None:
    """Raises ``UsageError`` for what Gemini is known to refuse, before anything is sent.

    Functions go together with the service's own tools from Gemini 3 on, and not on Vertex AI
    (google-genai 3.4.0, ToolConfig.include_server_side_tool_invocations).
    """
    services = ", ".join(f"--{service.replace('_', '-')}" for service in request.services)
    if combines(request) and (vertex or generation(model) < (3, 0)):
        who = "Vertex AI" if vertex else model
        newer = "AI Studio: -m studio:" if vertex else "a model from Gemini 3 on: -m "
        raise UsageError(
            f"{who} takes no functions (--tools) together with {services}; nothing was sent.",
            f"Use one of them, or ask {newer}{catalog.default_model()}",
        )
    if request.schema is not None and (request.tools or services) and generation(model) < (3, 0):
        raise UsageError(
            f"{model} takes no --schema together with {services or '--tools'}; nothing was sent.",
            f"Ask a model from Gemini 3 on: -m {catalog.default_model()}",
        )
    if "image" in (request.settings.modalities or catalog.makes(model)):
        _refuse_shapes(request.settings, model)


def _refuse_shapes(settings: Settings, model: str) -> None:
    """Raises ``UsageError`` for a size or a ratio that no picture of Gemini has."""
    size, aspect = settings.size, settings.aspect
    if size is not None and size.upper() not in _SIZES and not _PIXELS.fullmatch(size.strip()):
        raise UsageError(
            f"--size {size[:40]}: {model} makes no pictures of that size; nothing was sent.",
            f"Sizes: {', '.join(_SIZES)}, or the pixels such as 1920x1080 (the nearest is asked)",
        )
    if aspect is not None and aspect not in _ASPECTS:
        raise UsageError(
            f"--aspect {aspect[:40]}: {model} makes no pictures of that shape; nothing was sent.",
            f"Ratios: {', '.join(_ASPECTS)}",
        )


@functools.cache
def _kind() -> type[wire.GenerateContentConfig]:
    """The SDK's configuration, in which a field is found by its name.

    The SDK asks it ``name in config`` for each of some fifty fields, which pydantic answers by
    going through all of them: half a millisecond of every request.
    Source: google-genai 3.4.0, ``_common.get_value_by_path``.
    """
    from google.genai import types as wire

    class Config(wire.GenerateContentConfig):
        def __contains__(self, name: str) -> bool:
            return getattr(self, name, None) is not None

        def __getitem__(self, name: str) -> Any:
            return getattr(self, name)

    return Config


def warm_up() -> None:
    """Have pydantic build the SDK's configuration, which it does with the first one."""
    from google.genai import types as wire

    wire.GenerateContentConfig()
    _kind()


def asked(request: Request, model: str) -> Asked:
    """The configuration of a generate call."""
    from google.genai import types as wire

    settings, notices = request.settings, list[str]()
    config = _kind().model_construct(  # to check its types would have them built a second time
        temperature=_float(settings.temperature),
        top_p=_float(settings.top_p),
        top_k=_float(settings.top_k),
        max_output_tokens=settings.max_output_tokens,
        stop_sequences=list(settings.stop) or None,
        seed=settings.seed,
        presence_penalty=_float(settings.presence_penalty),
        frequency_penalty=_float(settings.frequency_penalty),
        automatic_function_calling=wire.AutomaticFunctionCallingConfig(disable=True),
        automatic_continuation=False,
    )
    if request.system is not None:
        config.system_instruction = request.system
    if settings.thinking is not None:
        config.thinking_config = _thinking(settings.thinking, model, notices)
    if settings.safety is not None:
        threshold = wire.HarmBlockThreshold(_BLOCKED[settings.safety])
        config.safety_settings = [
            wire.SafetySetting(
                category=wire.HarmCategory(f"HARM_CATEGORY_{harm}"), threshold=threshold
            )
            for harm in _HARMS
        ]
    if settings.media_resolution is not None:
        config.media_resolution = wire.MediaResolution(
            f"MEDIA_RESOLUTION_{settings.media_resolution.upper()}"
        )
    if request.schema is not None:
        config.response_mime_type = "application/json"
        config.response_json_schema = json.loads(request.schema)
    config.tools = list(_tools(request)) or None
    if combines(request):
        config.tool_config = wire.ToolConfig(include_server_side_tool_invocations=True)
    makes = settings.modalities or catalog.makes(model)
    if settings.modalities or makes != ("text",):
        config.response_modalities = [one.upper() for one in makes]
    config.image_config = _picture(settings, makes, model, notices)
    if settings.voice is not None and "audio" in makes:
        voice = wire.PrebuiltVoiceConfig(voice_name=settings.voice)
        config.speech_config = wire.SpeechConfig(
            voice_config=wire.VoiceConfig(prebuilt_voice_config=voice)
        )
    elif settings.voice is not None:
        notices.append(f"--voice was left out: {model} makes no sound")
    return Asked(config, tuple(notices))


def _float(value: float | None) -> float | None:
    """A number as the SDK's own check of types leaves it."""
    return None if value is None else float(value)


def _tools(request: Request) -> list[wire.Tool]:
    from google.genai import types as wire

    tools: list[wire.Tool] = []
    if request.tools:
        declared = [
            wire.FunctionDeclaration(
                name=tool.name,
                description=tool.description or None,
                parameters_json_schema=json.loads(tool.parameters),
            )
            for tool in request.tools
        ]
        tools.append(wire.Tool(function_declarations=declared))
    if SEARCH in request.services:
        tools.append(wire.Tool(google_search=wire.GoogleSearch()))
    if URL_CONTEXT in request.services:
        tools.append(wire.Tool(url_context=wire.UrlContext()))
    if CODE_EXECUTION in request.services:
        tools.append(wire.Tool(code_execution=wire.ToolCodeExecution()))
    return tools


def _thinking(level: str | int, model: str, notices: list[str]) -> wire.ThinkingConfig:
    """Gemini 2.5 takes a budget in tokens, later models a level; both show their thoughts."""
    from google.genai import types as wire

    is_pro = "pro" in model.lower().split("-")
    if isinstance(level, int) or generation(model) < (3, 0):
        budget = level if isinstance(level, int) else _BUDGETS[level]
        if level == "off" and is_pro:
            budget = _LEAST_OF_PRO
            notices.append(f"{model} cannot do without thinking: it thinks as little as it can")
        return wire.ThinkingConfig(thinking_budget=budget, include_thoughts=level not in ("off", 0))
    if level != "off":
        name = wire.ThinkingLevel(level.upper())
        return wire.ThinkingConfig(thinking_level=name, include_thoughts=True)
    notices.append(f"{model} cannot do without thinking: it thinks as little as it can")
    least = wire.ThinkingLevel.LOW if is_pro else wire.ThinkingLevel.MINIMAL
    return wire.ThinkingConfig(thinking_level=least, include_thoughts=False)


def _picture(
    settings: Settings, makes: tuple[str, ...], model: str, notices: list[str]
) -> wire.ImageConfig | None:
    from google.genai import types as wire

    given = [name for name in ("size", "aspect", "quality", "count") if getattr(settings, name)]
    if "image" not in makes:
        if given:
            names = ", ".join(f"--{name}" for name in given)
            notices.append(f"{names} left out: {model} makes no pictures")
        return None
    if settings.quality is not None:
        notices.append("--quality was left out: Gemini's pictures have none; --size 2K is finer")
    if settings.count is not None and settings.count > 1:
        notices.append(
            f"--count {settings.count} was left out: Gemini makes one picture a request; "
            "ask for several in the prompt, or run the cell again"
        )
    size, aspect = settings.size, settings.aspect
    if size is not None and (pixels := _PIXELS.fullmatch(size.strip())):
        size, nearest = _nearest(int(pixels[1]), int(pixels[2]))
        aspect = aspect or nearest
        notices.append(
            f"Gemini makes no pictures of {settings.size} pixels: {size} at {aspect} was asked for"
        )
    elif size is not None:
        size = size.upper()
    return wire.ImageConfig(image_size=size, aspect_ratio=aspect) if size or aspect else None


def _nearest(width: int, height: int) -> tuple[str, str]:
    """The size and the ratio that are nearest to so many pixels."""
    ratio = math.log(max(width, 1) / max(height, 1))

    def off(aspect: str) -> float:
        wide, high = aspect.split(":")
        return abs(math.log(int(wide) / int(high)) - ratio)

    side = math.sqrt(max(width, 1) * max(height, 1))  # 1K is 1024 x 1024 pixels in any ratio
    size = min(("1K", "2K", "4K"), key=lambda one: abs(math.log(side / 1024 / int(one[:-1]))))
    return size, min(_ASPECTS, key=off)
