"""Draws a reply that nobody watches: the outputs that a notebook's file keeps of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gemini_magic.notebook.display import Ending, Output
from gemini_magic.notebook.footer import metadata
from gemini_magic.notebook.notebook_view import NotebookView
from gemini_magic.types import STOP, Reply, digest


class _Recorder:
    """What ``Output`` publishes to, in place of a shell."""

    def __init__(self) -> None:
        self.outputs: list[dict[str, Any]] = []
        self._by_id: dict[str, dict[str, Any]] = {}
        self.display_pub = self

    def publish(
        self,
        data: dict[str, Any],
        metadata: dict[str, Any],
        *,
        transient: dict[str, str] | None = None,
        update: bool = False,
    ) -> None:
        name = (transient or {}).get("display_id", "")
        if update:
            self._by_id[name].update(data=data, metadata=metadata)
            return
        output = {"output_type": "display_data", "data": data, "metadata": metadata}
        self.outputs.append(output)
        if name:
            self._by_id[name] = output


def drawn(
    reply: Reply, form: str, template: str, saved: Sequence[Path] = ()
) -> list[dict[str, Any]]:
    """The outputs of a stored reply, as a run draws them: sanitised, with their metadata.

    ``form`` is markdown or json, ``template`` that of the prompt; ``saved`` are the files of
    ``reply.media``.
    """
    recorder = _Recorder()
    ending = Ending(_footer(reply), metadata(reply, digest(template)), saved)
    NotebookView(Output(recorder), form).close(reply, ending)
    return recorder.outputs


def _footer(reply: Reply) -> str:
    """Who answered: nothing was asked now, so that there are no seconds and no price."""
    words = [reply.model, reply.backend]
    usage = reply.usage
    if usage.input_tokens is not None or usage.output_tokens is not None:
        counts = ("?" if n is None else f"{n:,}" for n in (usage.input_tokens, usage.output_tokens))
        words.append(f"{' → '.join(counts)} tokens")
    if reply.finish_reason != STOP:
        words.append(f"ended: {reply.finish_reason[:40]}")
    return " · ".join([*words, "imported", *reply.notices])
