"""Registers ``%gemini`` and ``%%gemini``; all else is loaded with their first use.

This module is what ``%load_ext gemini_magic`` costs, so it imports IPython's and traitlets' own
modules only.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, magics_class, no_var_expand
from traitlets import Bool, Dict, Float, Unicode

from gemini_magic.locks import ProcessLock

if TYPE_CHECKING:
    from gemini_magic.notebook.session import Session

_MATCHER = "gemini_magic"
#: Seconds after ``%load_ext`` for which the warm-up leaves a first cell alone.
_HEAD_START = 0.3


@magics_class
class GeminiMagic(Magics):
    """The session's settings (``%config GeminiMagic``) and the two magics.

    What is None here is left to the environment, the project's file and the user's file.
    """

    model = Unicode(None, allow_none=True, help="the model, or BACKEND:MODEL").tag(config=True)
    route = Unicode(None, allow_none=True, help="a route of your configuration").tag(config=True)
    timeout = Float(None, allow_none=True, help="the longest silence, in seconds").tag(config=True)
    generation = Dict(
        default_value={}, help="run settings for every cell, e.g. {'temperature': 0.2}"
    ).tag(config=True)
    warm_up = Bool(
        None, allow_none=True, help="import the SDK in the background after %load_ext"
    ).tag(config=True)
    magic_name = Unicode(None, allow_none=True, help="the magics' name").tag(config=True)

    def __init__(self, shell: Any) -> None:
        super().__init__(shell=shell)
        self.name = self.magic_name or _configured_name()
        self._session: Session | None = None
        self._lock = ProcessLock()
        self.used = threading.Event()

    @property
    def session(self) -> Session:
        """The kernel's session, made with its first use."""
        with self._lock:
            if self._session is None:
                from gemini_magic.imports import uncollected

                with uncollected():
                    from gemini_magic.notebook.session import Session

                self._session = Session(self)
            return self._session

    def help(self) -> str:
        """The text of ``%gemini help``."""
        from gemini_magic.notebook.commands import whole_help

        return whole_help(self.name)

    def close(self) -> None:
        """Stop what still runs."""
        if self._session is not None:
            self._session.house.close()

    @no_var_expand
    def cell(self, line: str, cell: str) -> None:
        """See ``getdoc``."""
        from gemini_magic.errors import short_interrupts

        self.used.set()
        with short_interrupts():
            self.session.run_cell(line, cell)

    @no_var_expand
    def line(self, line: str) -> Any:
        """See ``getdoc``."""
        from gemini_magic.errors import short_interrupts

        self.used.set()
        with short_interrupts():
            return self.session.run_line(line)

    def update_config(self, config: Any) -> None:
        """Refuse a misspelt setting, which traitlets would let pass with a warning."""
        from gemini_magic.errors import ConfigError, did_you_mean, sentence

        known = self.class_trait_names(config=True)
        for name in config.get(type(self).__name__, {}):
            if name not in known:
                hint = did_you_mean(name, known) or f"there are {', '.join(known)}."
                raise ConfigError(f"GeminiMagic has no setting {name!r}.", sentence(hint))
        super().update_config(config)


def load(shell: Any) -> None:
    """Put the magics, their completion and the reply's display into a shell."""
    magic = GeminiMagic(shell)
    # What ``%gemini?`` shows is made from the option table, when it is asked for.
    GeminiMagic.cell.getdoc = GeminiMagic.line.getdoc = magic.help  # type: ignore[attr-defined]
    shell.magics_manager.registry["GeminiMagic"] = magic
    foreign = shell.magics_manager.magics["cell"].get(magic.name)
    if foreign is not None:
        owner = getattr(foreign, "__module__", None) or type(foreign).__module__
        print(f"gemini_magic: %%{magic.name} was {owner}'s and is ours now.")
    shell.register_magic_function(magic.cell, "cell", magic.name)
    shell.register_magic_function(magic.line, "line", magic.name)
    shell.input_transformers_cleanup.insert(0, _Transformer(magic.name))
    _add_matcher(shell, magic)
    for_reply = shell.display_formatter.ipython_display_formatter.for_type_by_name
    for_reply("gemini_magic.types", "Reply", lambda reply: magic.session.display(reply))
    if magic.warm_up is not False and os.environ.get("GEMINI_MAGIC_WARM_UP", "1") != "0":
        name = "gemini_magic warm-up"
        threading.Thread(target=_warm_up, args=(magic,), name=name, daemon=True).start()


def _warm_up(magic: GeminiMagic) -> None:
    """Unless a cell comes at once: it would be slower with a second thread at the same work."""
    if not magic.used.wait(_HEAD_START):
        with suppress(Exception):  # the first cell tells what is wrong
            magic.session.warm_up()


def unload(shell: Any) -> None:
    """Undo ``load``."""
    magic = shell.magics_manager.registry.pop("GeminiMagic", None)
    if not isinstance(magic, GeminiMagic):
        return
    magic.close()
    for kind in ("cell", "line"):
        shell.magics_manager.magics[kind].pop(magic.name, None)
    transformers = shell.input_transformers_cleanup
    transformers[:] = [one for one in transformers if not isinstance(one, _Transformer)]
    matchers = getattr(shell.Completer, "custom_matchers", [])
    matchers[:] = [m for m in matchers if getattr(m, "matcher_identifier", "") != _MATCHER]
    with suppress(ValueError):
        shell.configurables.remove(magic)
    formatter = shell.display_formatter.ipython_display_formatter
    with suppress(KeyError):
        formatter.pop("gemini_magic.types.Reply")


class _Transformer:
    """Looks for our magics in a cell, and loads what rewrites them when there are any."""

    #: IPython asks whether a cell is complete; for that it must see our ``%%`` as it was typed.
    #: Source: IPython.core.inputtransformer2.TransformerManager.check_complete.
    has_side_effects = True

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, lines: list[str]) -> list[str]:
        if not any(f"%{self._name}" in line for line in lines):
            return lines
        from gemini_magic.notebook.transform import transform

        return transform(lines, self._name)


def _add_matcher(shell: Any, magic: GeminiMagic) -> None:
    from IPython.core.completer import context_matcher

    @context_matcher(identifier=_MATCHER, priority=10)  # type: ignore[untyped-decorator]
    def matcher(context: Any) -> Any:
        if f"%{magic.name}" not in context.full_text:
            return {"completions": []}
        from gemini_magic.notebook.complete import complete

        return complete(context, magic)

    shell.Completer.custom_matchers.insert(0, matcher)


def _configured_name() -> str:
    """The magics' name in the environment or the user's file, which is rarely set."""
    if name := os.environ.get("GEMINI_MAGIC_MAGIC_NAME"):
        return name
    from gemini_magic.paths import config_file

    try:
        named = b"magic_name" in config_file().read_bytes()
    except OSError:
        return "gemini"
    if not named:
        return "gemini"
    from gemini_magic.config import load as load_config

    return load_config().magic_name
