"""A control for each option of the table: what it may be, and why it is off where it is."""

from __future__ import annotations

import html
import threading
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

from gemini_magic.option_table import Option
from gemini_magic.options import OptionValue
from gemini_magic.widgets.panel_text import shown

#: What stands where nothing is given: the service's own.
DEFAULT = "default"

_LABELS = {
    "system": "System instruction",
    "top-p": "Top P",
    "top-k": "Top K",
    "url-context": "URL context",
    "stop": "Stop sequences",
    "raw": "Raw: no {{ }}",
}

_PLACEHOLDERS = {
    "model": DEFAULT,
    "system": "how the model shall answer, in every turn",
    "schema": "name, age int, tags list",
}

#: Takes an option's name and what was typed; gives what is wrong with it.
Put = Callable[[str, str], str]


class Showing:
    """Tells the changes that we make to fields from the user's, which may come at the same time in
    another thread. True within it, for the thread that entered it."""

    def __init__(self) -> None:
        self._threads: list[int] = []

    def __enter__(self) -> None:
        self._threads.append(threading.get_ident())

    def __exit__(self, *problem: object) -> None:
        self._threads.remove(threading.get_ident())

    def __bool__(self) -> bool:
        return threading.get_ident() in self._threads


class Control:
    """A labelled field. What is typed goes to ``put`` at once, and what it says stands below."""

    def __init__(self, option: Option, put: Put, suggestions: Sequence[str] = ()) -> None:
        self.option = option
        self._put = put
        self._showing = Showing()
        self._note: Any = None
        self._slider: Any = None
        self._field = self._made(suggestions)
        parts = [self._field]
        if self._slider is not None:
            parts = [ipywidgets.HBox([self._field, self._slider])]
        self.widget: Any = ipywidgets.VBox(parts)
        self.widget.add_class("gemini-magic-control")
        if self._slider is not None or isinstance(self._field, ipywidgets.Textarea):
            self.widget.add_class("gemini-magic-row")
        self._field.observe(self._changed, "value")

    def show(self, value: OptionValue | None) -> None:
        """Show this value; nobody is told."""
        with self._showing:
            if self.option.flag:
                self._field.value = value is True
                return
            text = shown(self.option, value)
            if self.option.type == "choice" and text not in self.option.choices:
                text = ""
            self._field.value = text
            self._slide(text)
            self._say("", "")

    def bar(self, reason: str) -> None:
        """Switch it off and say why; an empty reason switches it on."""
        for one in (self._field, self._slider):
            if one is not None and one.disabled != bool(reason):
                one.disabled = bool(reason)
        self._say(reason, "off")

    def suggest(self, words: Sequence[str]) -> None:
        """The values that are offered while one is typed."""
        self._field.options = tuple(words)

    def complain(self, problem: str) -> None:
        """Say what is wrong with what is there; empty where nothing is."""
        self._say(problem, "wrong")

    # --- how it looks ---

    def _made(self, suggestions: Sequence[str]) -> Any:
        option = self.option
        common: dict[str, Any] = {
            "description": label(option),
            "tooltip": f"--{option.name}: {option.help}",
        }
        if option.flag:
            return ipywidgets.Checkbox(indent=False, **common)
        if option.type == "choice":
            choices = [(DEFAULT, ""), *((one, one) for one in option.choices)]
            return ipywidgets.Dropdown(options=choices, value="", **common)
        common |= {"placeholder": _placeholder(option), "continuous_update": False}
        if option.repeat or option.name == "system":
            return ipywidgets.Textarea(rows=2 if option.repeat else 4, **common)
        if option.type == "thinking" or suggestions:
            offered = option.choices or tuple(suggestions)
            return ipywidgets.Combobox(options=offered, ensure_option=False, **common)
        if (
            option.setting
            and None not in (option.minimum, option.maximum)
            and (option.type == "float")
        ):
            self._slider = _slider(option)
            self._slider.observe(self._slid, "value")
        return ipywidgets.Text(**common)

    def _say(self, text: str, kind: str) -> None:
        role = ' role="alert"' if kind == "wrong" else ""
        said = f'<div class="gemini-magic-{kind}"{role}>{html.escape(text)}</div>' if text else ""
        if said and self._note is None:  # most have nothing to say
            self._note = ipywidgets.HTML()
            self.widget.children = (*self.widget.children, self._note)
        if self._note is not None and self._note.value != said:
            self._note.value = said

    # --- what the user does ---

    def _changed(self, change: dict[str, Any]) -> None:
        if self._showing:
            return
        value = change["new"]
        text = ("yes" if value else "") if self.option.flag else str(value)
        problem = self._put(self.option.name, text)
        self._say(problem, "wrong")
        if not problem:
            self._slide(text)

    def _slid(self, change: dict[str, Any]) -> None:
        if not self._showing:
            self._field.value = f"{change['new']:g}"

    def _slide(self, text: str) -> None:
        if self._slider is None:
            return
        with self._showing:
            try:
                self._slider.value = float(text or 0)
            except ValueError:
                self._slider.value = 0.0


def label(option: Option) -> str:
    """An option's name for people."""
    return _LABELS.get(option.name) or option.name.replace("-", " ").capitalize()


def _placeholder(option: Option) -> str:
    if option.name in _PLACEHOLDERS:
        return _PLACEHOLDERS[option.name]
    if option.setting and not option.repeat:
        return DEFAULT
    return "one per line" if option.repeat else option.metavar.lower()


def _slider(option: Option) -> Any:
    low, high = option.minimum or 0.0, option.maximum or 1.0
    return ipywidgets.FloatSlider(
        value=max(low, 0.0), min=low, max=high, step=0.05, readout=False, continuous_update=False
    )
