"""The right column of a panel: who is asked, and every option of the table by its group."""

from __future__ import annotations

import html
from collections.abc import Callable
from itertools import groupby
from typing import Any

import ipywidgets

from gemini_magic.errors import GeminiMagicError
from gemini_magic.option_table import Option
from gemini_magic.options import BY_NAME
from gemini_magic.widgets.panel_controls import DEFAULT, Control, Showing
from gemini_magic.widgets.panel_fold import Fold
from gemini_magic.widgets.panel_model import MEDIA, PanelModel, shown_options
from gemini_magic.widgets.panel_text import plainly

#: The options that have a place of their own.
_APART = ("model", "route", "system", "schema", *MEDIA)
#: The group that is open from the beginning.
_OPEN = "Run settings"

_SCHEMA_HELP = (
    "A type of yours (a Pydantic model, dataclass, TypedDict, Enum, list[Recipe]), a JSON schema, "
    "or the short form: name, age int, tags list"
)


class Settings:
    """The controls. ``changed`` is called when one was; ``act`` does what may fail, and shows what
    went wrong; ``act_later`` does it in a thread."""

    def __init__(
        self,
        model: PanelModel,
        changed: Callable[[], None],
        act: Callable[[Callable[[], None]], None],
        act_later: Callable[[Callable[[], None]], None],
    ) -> None:
        self._model, self._changed, self._act, self._act_later = model, changed, act, act_later
        self._controls: dict[str, Control] = {}
        self._folds: dict[str, Fold] = {}
        self._showing = Showing()
        self._who = ipywidgets.HTML()
        parts = [self._asked(), self._who, self._control("system").widget]
        for group, found in groupby(_ordered(), lambda option: option.group):
            fold = Fold(group, self._builder(tuple(found)), is_open=group == _OPEN)
            self._folds[group] = fold
            parts.append(fold.widget)
            if group == "What the model may use":
                parts.append(self._schema_fold().widget)
        self._preset_name: Any = None
        presets = Fold("Presets", self._presets, opened=self._list_presets)
        parts.append(presets.widget)
        self.widget: Any = ipywidgets.VBox(parts)
        self.widget.add_class("gemini-magic-settings")
        self.show()

    def show(self) -> None:
        """Show what the model holds, and who would be asked."""
        with self._showing:
            route = self._model.given.get("route")
            self._list_routes()
            self._route.value = str(route) if isinstance(route, str) else ""
            for name, control in self._controls.items():
                if name not in self._model.problems:
                    control.show(self._model.given.get(name))
        self.look()

    def look(self) -> None:
        """Show who would be asked, and switch off what is of no use there."""
        who = self._model.who
        text = f'<div class="gemini-magic-who">{html.escape(who.words)}</div>'
        text += f'<div class="gemini-magic-can">{html.escape(who.can)}</div>' if who.can else ""
        if who.problem:
            text = f'<div class="gemini-magic-who-problem">{html.escape(who.problem)}</div>'
        if self._who.value != text:
            self._who.value = text
        for name, control in self._controls.items():
            if name not in self._model.problems:
                control.bar(who.barred.get(name, ""))
        for group, fold in self._folds.items():
            count = sum(BY_NAME[name].group == group and name not in _APART
                        for name in self._model.given)  # fmt: skip
            fold.tell(f"{count} set" if count else "")

    # --- the parts ---

    def _control(self, name: str) -> Control:
        self._controls[name] = Control(BY_NAME[name], self._put)
        return self._controls[name]

    def _put(self, name: str, text: str) -> str:
        if self._showing:
            return ""
        problem = self._model.put(name, text)
        if not problem:
            if name in ("model", "no-fallback"):
                self._model.look()
            self.look()
        self._changed()
        return problem

    def _builder(self, options: tuple[Option, ...]) -> Callable[[], Any]:
        def build() -> Any:
            widgets = []
            for option in options:
                control = self._control(option.name)
                control.show(self._model.given.get(option.name))
                control.bar(self._model.who.barred.get(option.name, ""))
                widgets.append(control.widget)
            made = ipywidgets.VBox(widgets)
            made.add_class("gemini-magic-controls")
            return made

        return build

    def _asked(self) -> Any:
        self._route = ipywidgets.Dropdown(
            description="Route or backend", options=[(DEFAULT, "")], value="",
            tooltip=f"--route: {BY_NAME['route'].help}",
        )  # fmt: skip
        self._route.observe(self._routed, "value")
        route = ipywidgets.VBox([self._route])
        route.add_class("gemini-magic-control")
        known = self._model.desk.models(None)
        self._models = Control(BY_NAME["model"], self._put, known or ("model",))
        self._controls["model"] = self._models
        more = ipywidgets.Button(
            description="List models",
            tooltip="ask the services which models they have; no request of a quota",
        )
        more.add_class("gemini-magic-small")
        more.on_click(lambda _: self._act_later(self._list_models))
        return ipywidgets.VBox([route, self._models.widget, more])

    def _routed(self, change: dict[str, Any]) -> None:
        if self._showing:
            return
        self._model.set("route", change["new"] or None)
        self._models.suggest(self._model.desk.models(change["new"] or None))
        self._model.look()
        self.look()
        self._changed()

    def _list_routes(self) -> None:
        known = self._model.desk.routes()
        given = self._model.given.get("route")
        if isinstance(given, str) and given not in known:
            known = (given, *known)
        offered = ((DEFAULT, ""), *((name, name) for name in known))
        if tuple(self._route.options) != offered:
            self._route.options = offered

    def _list_models(self) -> None:
        self._models.suggest(self._model.desk.list_models(self._route.value or None))

    # --- structured output ---

    def _schema_fold(self) -> Fold:
        self._folds["Structured output"] = Fold("Structured output", self._schema_editor,
                                                opened=self._list_types)  # fmt: skip
        return self._folds["Structured output"]

    def _schema_editor(self) -> Any:
        self._schema_said = ipywidgets.HTML()
        control = self._controls["schema"] = Control(BY_NAME["schema"], self._put_schema)
        given = self._model.given.get("schema")
        control.show(given)
        control.bar(self._model.who.barred.get("schema", ""))
        self._types = ipywidgets.Dropdown(
            description="A type of yours", options=[("choose …", "")], value=""
        )
        self._types.observe(self._type_chosen, "value")
        chosen = ipywidgets.VBox([self._types])
        chosen.add_class("gemini-magic-control")
        about = ipywidgets.HTML(f'<div class="gemini-magic-can">{html.escape(_SCHEMA_HELP)}</div>')
        if isinstance(given, str):
            self._preview(given)
        return ipywidgets.VBox([control.widget, chosen, about, self._schema_said])

    def _put_schema(self, name: str, text: str) -> str:
        if self._showing:
            return ""
        problem = self._model.put(name, text)
        if not problem:
            problem = self._preview(text)
        self.look()
        self._changed()
        return problem

    def _preview(self, text: str) -> str:
        """Show the JSON schema that is meant; what is wrong with it."""
        said, problem = "", ""
        if text.strip():
            try:
                schema = html.escape(self._model.desk.schema(text.strip()))
                said = f'<pre class="gemini-magic-schema" tabindex="0">{schema}</pre>'
            except GeminiMagicError as error:
                problem = plainly(error)
                self._model.problems["schema"] = problem
        self._schema_said.value = said
        return problem

    def _list_types(self) -> None:
        offered = (("choose …", ""), *((name, name) for name in self._model.desk.types()))
        if tuple(self._types.options) != offered:
            self._types.options = offered

    def _type_chosen(self, change: dict[str, Any]) -> None:
        if change["new"]:
            control = self._controls["schema"]
            control.show(change["new"])
            control.complain(self._put_schema("schema", change["new"]))

    # --- presets ---

    def _presets(self) -> Any:
        self._preset_name = ipywidgets.Combobox(
            description="Name", placeholder="a name for these settings", ensure_option=False
        )
        name = ipywidgets.VBox([self._preset_name])
        name.add_class("gemini-magic-control")
        buttons = []
        for word, does, act in (
            ("Load preset", "take over the settings of this preset", self._load_preset),
            (
                "Save preset",
                "keep the settings by this name, without prompt and media",
                self._save_preset,
            ),
            ("Delete preset", "forget this preset", self._delete_preset),
        ):
            button = ipywidgets.Button(description=word, tooltip=does)
            button.on_click(lambda _, act=act: self._act(act))
            buttons.append(button)
        row = ipywidgets.HBox(buttons)
        row.add_class("gemini-magic-bar")
        return ipywidgets.VBox([name, row])

    def _list_presets(self) -> None:
        self._preset_name.options = self._model.presets.names()

    def _load_preset(self) -> None:
        self._model.load_preset(self._preset_name.value)
        self.show()
        self._changed()

    def _save_preset(self) -> None:
        self._model.save_preset(self._preset_name.value)
        self._list_presets()

    def _delete_preset(self) -> None:
        self._model.presets.delete(self._preset_name.value)
        self._preset_name.value = ""
        self._list_presets()


def _ordered() -> list[Option]:
    """The options that have a control in a group, the groups as AI Studio has them."""
    groups = list(dict.fromkeys(option.group for option in shown_options()))
    first = [_OPEN, "What the model may use", "Pictures and sound"]
    groups.sort(key=lambda group: first.index(group) if group in first else len(first))
    found = [option for option in shown_options() if option.name not in _APART]
    return sorted(found, key=lambda option: groups.index(option.group))
