"""AI Studio's run settings as options of a cell, and an option's change as run settings."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from gemini_magic import catalog
from gemini_magic.backends.google_out import generation
from gemini_magic.convert.studio import values
from gemini_magic.convert.studio.schemas import json_schema, studio_schema
from gemini_magic.errors import UsageError
from gemini_magic.options import BY_NAME, OptionValue, convert

#: Tells the user something: a kind of note, and what to say.
Tell = Callable[[str, str], None]

#: Numbers, and the option of each.
_NUMBERS = {
    "temperature": "temperature", "topP": "top-p", "topK": "top-k", "seed": "seed",
    "maxOutputTokens": "max-output-tokens", "presencePenalty": "presence-penalty",
    "frequencyPenalty": "frequency-penalty",
}  # fmt: skip
_SERVICES = {
    "enableSearchAsATool": "search", "enableCodeExecution": "code-execution",
    "enableBrowseAsATool": "url-context",
}  # fmt: skip
_HARMS = ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT")
#: How much is blocked, by what AI Studio calls it; from nothing to most.
_THRESHOLDS = {
    "OFF": "off", "BLOCK_NONE": "none", "BLOCK_ONLY_HIGH": "few",
    "BLOCK_MEDIUM_AND_ABOVE": "some", "BLOCK_LOW_AND_ABOVE": "most",
}  # fmt: skip
_LEVELS = {"MINIMAL": "off", "LOW": "low", "MEDIUM": "medium", "HIGH": "high"}
_RATIO = re.compile(r"\d{1,2}:\d{1,2}")
#: Settings that say nothing where they are as they are by default, or that other ones read.
_READ = frozenset(
    {
        *_NUMBERS, *_SERVICES, "model", "safetySettings", "responseMimeType", "responseSchema",
        "thinkingBudget", "thinkingLevel", "responseModalities", "outputResolution", "aspectRatio",
        "mediaResolution", "stopSequences", "googleSearch", "candidateCount", "environmentMode",
        "enableEnhancedCivicAnswers", "enableAutoFunctionResponse",
    }
)  # fmt: skip


def model_of(name: str, tell: Tell) -> str:
    """The model to ask: a retired one is replaced, and that is told."""
    bare = catalog.bare(name.strip())
    if (successor := catalog.successor(bare)) is None:
        return bare
    tell("model", f"{bare} is retired: {successor} is asked instead")
    return successor


def options_of(settings: Mapping[str, Any], tell: Tell) -> dict[str, OptionValue]:
    """The options that run settings stand for; what has none, or is off, is told."""
    given: dict[str, OptionValue] = {}
    model = model_of(values.text(settings.get("model")), tell)
    if model:
        given["model"] = model
    for key, name in _NUMBERS.items():
        if settings.get(key) is not None:
            put(given, name, values.number(settings[key]), key, tell)
    if stops := tuple(one for one in values.texts(settings.get("stopSequences")) if one):
        given["stop"] = stops
    if (thinking := _thinking(settings, model)) is not None:
        put(given, "thinking", thinking, "thinkingLevel", tell)
    if (safety := safety_of(values.mappings(settings.get("safetySettings")), tell)) is not None:
        given["safety"] = safety
    resolution = values.text(settings.get("mediaResolution")).rpartition("_")[2].lower()
    if resolution in BY_NAME["media-resolution"].choices:
        given["media-resolution"] = resolution
    _pictures(settings, model, given, tell)
    for key, name in _SERVICES.items():
        if settings.get(key) is True:
            given[name] = True
    if isinstance(settings.get("googleSearch"), Mapping):
        given["search"] = True
    if (schema := _schema(settings, tell)) is not None:
        given["schema"] = schema
    if (values.whole(settings.get("candidateCount")) or 1) > 1:
        tell("left-out", "candidateCount: a cell asks for one answer")
    for key, value in settings.items():
        if key not in _READ and value not in (None, False, "", [], {}):
            tell("left-out", f"the setting {key} has no option; it is kept with the notebook")
    return given


def put(given: dict[str, OptionValue], name: str, value: Any, key: str, tell: Tell) -> None:
    """Add an option if the value is one that it takes."""
    option = BY_NAME[name]
    try:
        if value is None:
            raise UsageError("no number")
        if option.type == "int" and isinstance(value, float) and value == int(value):
            value = int(value)
        given[name] = convert(option, str(value))
    except (UsageError, OverflowError):
        tell("left-out", f"the setting {key} has a value that no cell takes; it is kept")


def _thinking(settings: Mapping[str, Any], model: str) -> str | int | None:
    """A level for models that know levels; else the budget, of which -1 is the default."""
    level = _LEVELS.get(values.text(settings.get("thinkingLevel")).upper().rpartition("_")[2])
    budget = values.whole(settings.get("thinkingBudget"))
    if level is not None and (budget is None or generation(model) >= (3, 0)):
        return level
    if budget is None or budget < 0:
        return None
    return "off" if budget == 0 else budget


def safety_of(rows: list[Mapping[str, Any]], tell: Tell) -> str | None:
    """One threshold for AI Studio's four categories; the strictest where they differ."""
    by_harm = {
        values.text(row.get("category")).removeprefix("HARM_CATEGORY_"): _THRESHOLDS.get(
            values.text(row.get("threshold"))
        )
        for row in rows
    }
    found = [by_harm[harm] for harm in _HARMS if by_harm.get(harm) is not None]
    if others := sorted(set(by_harm) - {*_HARMS, "CIVIC_INTEGRITY"}):
        names = ", ".join(name[:40] for name in others)
        tell("left-out", f"safety settings of another age are kept, not sent: {names}")
    if not found:
        return None
    order = list(_THRESHOLDS.values())
    strictest = max(filter(None, found), key=order.index)
    if len(set(found)) > 1 or len(found) < len(_HARMS):
        tell("differs", f"safety settings differ by category: --safety {strictest} is for all")
    return strictest


def _pictures(
    settings: Mapping[str, Any], model: str, given: dict[str, OptionValue], tell: Tell
) -> None:
    names = [one.lower() for one in values.texts(settings.get("responseModalities"))]
    known = tuple(dict.fromkeys(n for n in names if n in BY_NAME["modalities"].choices))
    if known:
        given["modalities"] = known
    if "image" not in (known or catalog.makes(model)):
        return  # there they are noise, which AI Studio writes all the same
    if size := values.text(settings.get("outputResolution")).strip():
        given["size"] = size
    if _RATIO.fullmatch(ratio := values.text(settings.get("aspectRatio")).strip()):
        given["aspect"] = ratio


def _schema(settings: Mapping[str, Any], tell: Tell) -> str | None:
    schema = settings.get("responseSchema")
    kind = values.text(settings.get("responseMimeType"))
    if isinstance(schema, str):  # some write it as text
        try:
            schema = json.loads(schema)
        except (ValueError, RecursionError):
            schema = None
    if isinstance(schema, Mapping) and schema:
        return json.dumps(json_schema(schema), ensure_ascii=False)
    if kind == "application/json":
        tell("differs", "JSON without a schema was asked for: the cell's schema is any object")
        return '{"type": "object"}'
    if kind not in ("", "text/plain"):
        tell("left-out", f"the answer's type {kind[:60]} is kept, not asked for")
    return None


# --- and back ---


def settings_with(
    settings: Mapping[str, Any], before: Mapping[str, OptionValue], after: Mapping[str, OptionValue]
) -> dict[str, Any]:
    """Run settings in which every option that changed from ``before`` to ``after`` has changed."""
    changed = dict(settings)
    for name in {*before, *after}:
        if before.get(name) != after.get(name):
            _write(changed, name, after.get(name))
    return changed


def _write(settings: dict[str, Any], name: str, value: OptionValue | None) -> None:
    numbers = {option: key for key, option in _NUMBERS.items()}
    services = {option: key for key, option in _SERVICES.items()}
    if name in numbers:
        _set(settings, numbers[name], value)
    elif name in services:
        settings[services[name]] = value is True
        if name == "search" and value is not True:
            settings.pop("googleSearch", None)
    elif name == "model":
        _set(settings, "model", f"models/{catalog.bare(str(value))}" if value else None)
    elif name == "stop":
        _set(settings, "stopSequences", list(value) if isinstance(value, tuple) else None)
    elif name == "thinking":
        settings.pop("thinkingLevel", None)
        settings.pop("thinkingBudget", None)
        if isinstance(value, int):
            settings["thinkingBudget"] = value
        elif value == "off":
            settings["thinkingBudget"] = 0
        elif value is not None:
            settings["thinkingLevel"] = f"THINKING_{str(value).upper()}"
    elif name == "safety":
        back = {ours: theirs for theirs, ours in _THRESHOLDS.items()}
        rows = [
            {"category": f"HARM_CATEGORY_{harm}", "threshold": back[str(value)]} for harm in _HARMS
        ]
        _set(settings, "safetySettings", rows if value else None)
    elif name == "modalities":
        names = [one.upper() for one in value] if isinstance(value, tuple) else None
        _set(settings, "responseModalities", names)
    elif name in ("size", "aspect"):
        _set(settings, {"size": "outputResolution", "aspect": "aspectRatio"}[name], value)
    elif name == "media-resolution":
        level = f"MEDIA_RESOLUTION_{str(value).upper()}" if value else None
        _set(settings, "mediaResolution", level)
    elif name == "schema":
        _set(settings, "responseSchema", studio_schema(value) if isinstance(value, str) else None)
        settings["responseMimeType"] = "application/json" if value else "text/plain"


def _set(settings: dict[str, Any], key: str, value: Any) -> None:
    if value is None:
        settings.pop(key, None)
    else:
        settings[key] = value
