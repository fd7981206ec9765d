"""The way back: a notebook as a saved prompt, as AI Studio writes them to Drive.

What came from one and was not changed goes back as it came; what was changed is written anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from gemini_magic.cell import GeminiCell, cell_parts
from gemini_magic.convert.context import Context
from gemini_magic.convert.exported import Exported, KeyFound
from gemini_magic.convert.notebook_file import Notebook
from gemini_magic.convert.secrets import lines_with_keys
from gemini_magic.convert.steps import Note
from gemini_magic.convert.studio import gson, values
from gemini_magic.convert.studio.constants import Constants
from gemini_magic.convert.studio.kept import FOLDER, restored
from gemini_magic.convert.studio.notebooks import prompt_digest
from gemini_magic.convert.studio.options import options_of, settings_with
from gemini_magic.convert.studio.prompts import FORMAT, KEPT, system_of
from gemini_magic.convert.studio.writing_chunks import ChunkWriter, answer_chunks
from gemini_magic.errors import GeminiMagicError, UsageError
from gemini_magic.options import OptionValue

#: Options that are the prompt's or the notebook's, and no run settings.
_NO_SETTINGS = frozenset(
    {
        *("image", "file", "max-pixels", "system", "chat", "raw", "out", "def", "as", "save"),
        *("quiet", "allow-remote-images", "dry-run", "help", "repair", "tools", "max-hops"),
        *("tool-timeout", "route", "no-fallback", "compare", "force", "fresh", "cached"),
        *("timeout", "quality", "count", "voice"),
    }
)


class _Prompt(NamedTuple):
    """A cell that asks: its id, what its metadata keep, and the outputs below it."""

    id: str
    cell: GeminiCell
    kept: Mapping[str, Any]
    outputs: list[Mapping[str, Any]]


def export(notebook: Notebook, context: Context) -> Exported:
    """The saved prompt. Raises ``GeminiMagicError`` where there is nothing to save, and
    ``KeyFound``."""
    document, notes = saved(notebook, context)
    text = gson.written(document)
    names = {name for one in context.config.backends.values() for name in one.key_env}
    if lines := lines_with_keys(text, names):
        raise KeyFound(
            f"{notebook.name}: a key would stand in line {lines[0]} of the saved prompt; "
            "nothing was written.",
            "Take it out of the notebook, and clear the outputs that show it.",
        )
    return Exported(text, notes)


def saved(notebook: Notebook, context: Context) -> tuple[dict[str, Any], tuple[Note, ...]]:
    """The document of a saved prompt, and what should be known of it."""
    notes: dict[Note, None] = {}

    def tell(cell: str) -> Callable[[str, str], None]:
        return lambda kind, text: notes.setdefault(Note(cell, kind, text))

    whole = values.mapping(notebook.document)
    kept = _kept(whole)
    prompts = list(_prompts(notebook, whole, context.magic))
    if not prompts and not kept:
        raise UsageError(f"{notebook.name} has no %%{context.magic} cell; nothing was written.")

    def read(name: str) -> bytes:
        return _beside(context, name)

    constants = Constants(
        [values.text(_source(cell)) for cell in values.mappings(whole.get("cells"))], read
    )
    base = restored(kept.get("document") or _EMPTY, read)
    writer = ChunkWriter(constants, context)
    if "chunkedPrompt" in base:
        base = _with_chunks(base, kept, prompts, writer, read, tell)
    elif any(one.kept and not _same_prompt(one) for one in prompts):
        kind = kept.get("kind")
        tell("")("differs", f"changed cells do not go back into a {kind}: it is as it came")
    if prompts:
        base = _with_settings(base, prompts[-1], constants, new=not kept)
    return base, tuple(notes)


_EMPTY: dict[str, Any] = {
    "runSettings": {}, "systemInstruction": {}, "chunkedPrompt": {"chunks": []},
}  # fmt: skip


def _kept(thing: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the metadata of a notebook or a cell keep of a saved prompt."""
    ours = values.mapping(values.mapping(thing.get("metadata")).get("gemini_magic"))
    kept = values.mapping(ours.get(KEPT))
    if kept.get("format", FORMAT) != FORMAT:
        raise GeminiMagicError(
            "the notebook keeps a saved prompt in a newer form; nothing was written.",
            "Update gemini-magic.",
        )
    return kept


def _prompts(notebook: Notebook, whole: Mapping[str, Any], magic: str) -> list[_Prompt]:
    found: list[_Prompt] = []
    for number, cell in enumerate(values.mappings(whole.get("cells")), 1):
        source = _source(cell)
        if cell.get("cell_type") != "code" or cell_parts(source, magic) is None:
            continue
        parsed = GeminiCell.parse(source, magic)
        name = values.text(cell.get("id")) or f"cell-{number}"
        found.append(_Prompt(name, parsed, _kept(cell), values.mappings(cell.get("outputs"))))
    return found


def _source(cell: Mapping[str, Any]) -> str:
    source = cell.get("source")
    return "".join(values.texts(source)) if isinstance(source, list) else values.text(source)


def _with_chunks(
    base: dict[str, Any],
    kept: Mapping[str, Any],
    prompts: list[_Prompt],
    writer: ChunkWriter,
    read: Callable[[str], bytes],
    tell: Callable[[str], Callable[[str, str], None]],
) -> dict[str, Any]:
    chunks: list[Any] = []
    pending: Any = None
    between = values.mappings(kept.get("between"))
    for number, one in enumerate(prompts):
        chunks += _between(between, number, read)
        same = one.kept and _same_prompt(one)
        new = answer_chunks(one.outputs)
        if same and "pending" in one.kept and not new:
            pending = restored(one.kept["pending"], read)
            continue
        asked = one.kept.get("asked", one.kept.get("pending"))
        if same and asked is not None:
            chunks += restored(asked, read)
        else:
            chunks += writer.asked(one.cell, tell(one.id))
        chunks += new or restored(one.kept.get("answered", []), read) * bool(same)
    for number in range(len(prompts), len(prompts) + len(between) + 1):
        chunks += _between(between, number, read)
    prompt = dict(base["chunkedPrompt"])
    if chunks or "chunks" in prompt:
        prompt["chunks"] = chunks
    if pending is not None:
        prompt["pendingInputs"] = pending
    elif "pendingInputs" not in prompt and any("pending" in one.kept for one in prompts):
        prompt["pendingInputs"] = [{"text": "", "role": "user"}]
    return {**base, "chunkedPrompt": prompt}


def _between(
    between: list[Mapping[str, Any]], number: int, read: Callable[[str], bytes]
) -> list[Any]:
    return [
        chunk
        for one in between
        if one.get("at") == number
        for key in ("asked", "answered")
        for chunk in restored(one.get(key, []), read)
    ]


def _same_prompt(prompt: _Prompt) -> bool:
    """Whether the prompt is what was imported; run settings may have changed since."""
    return prompt.kept.get("prompt") == prompt_digest(prompt.cell)


def _with_settings(
    base: dict[str, Any], last: _Prompt, constants: Constants, *, new: bool
) -> dict[str, Any]:
    """The document with the run settings and the system instruction of the last cell."""
    settings = values.mapping(base.get("runSettings"))
    before = _comparable(options_of(settings, lambda kind, text: None), constants)
    after = _comparable(dict(last.cell.options), constants)
    made = dict(base)
    if before != after:
        made["runSettings"] = settings_with(settings, before, after)
    told = last.cell.text("system") or ""
    system = constants.filled(told, raw=last.cell.flag("raw"))
    preamble = next(
        (text for kind in ("multiturnPrompt", "dataPrompt")
         if (text := values.text(values.mapping(base.get(kind)).get("preamble")))), "",
    )  # fmt: skip
    if system != system_of(base) and not (system == preamble and not system_of(base)):
        made["systemInstruction"] = {"text": system} if system else {}
    return made


def _comparable(options: Mapping[str, OptionValue], constants: Constants) -> dict[str, OptionValue]:
    """The options that are run settings; a schema in one form, whatever it was written in."""
    found = {name: value for name, value in options.items() if name not in _NO_SETTINGS}
    schema = found.get("schema")
    if isinstance(schema, str):
        value = constants.value(schema)
        try:
            value = json.loads(schema) if value is None else value
        except (ValueError, RecursionError):
            return found
        found["schema"] = json.dumps(value, ensure_ascii=False)
    return found


def _beside(context: Context, name: str) -> bytes:
    """A file of the notebook's, beside it: metadata may name no other."""
    first, _, rest = name.partition("/")
    path = context.folder / name
    plain = context.may_read(path) and not path.is_symlink()
    if not plain or first != FOLDER or "/" in rest or "\\" in rest or rest.startswith("."):
        raise GeminiMagicError(
            f"the notebook names {name[:80]!r} as a file of its own; nothing was written."
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise GeminiMagicError(
            f"cannot read {name}, which the notebook needs: {error.strerror}; nothing was written.",
            f"Put the folder {FOLDER} beside the notebook again.",
        ) from None
