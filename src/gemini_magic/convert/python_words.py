"""Writes a prompt's words and media as one Python expression."""

from __future__ import annotations

from collections.abc import Sequence

from gemini_magic.convert import pytext, python_frozen
from gemini_magic.convert.names import Names
from gemini_magic.convert.plan import Given, Plan
from gemini_magic.convert.pytext import OWN, call, literal
from gemini_magic.template import Placeholder, Segment
from gemini_magic.types import Part

#: Format specs that make a text of a table.
_TABLES = ("csv", "markdown", "md")


class Words:
    """Knows the notebook's names; what it uses of ours goes into ``helpers`` and ``files``."""

    def __init__(self, names: Names, helpers: set[str], files: dict[str, bytes]) -> None:
        self._names = names
        self._helpers = helpers
        self._files = files

    def of(self, plan: Plan) -> str:
        """The expression of a plan's prompt: a text, or a list of texts and media."""
        if plan.sent:
            return self._sent(plan.sent)
        if (most := plan.cell.get("max-pixels")) is not None:
            self._helpers.add("shrunk")
            return call(f"{OWN}shrunk", [self._live(plan), str(most)])
        return self._live(plan)

    def _live(self, plan: Plan) -> str:
        texts = [one for one in plan.segments if isinstance(one, Placeholder)]
        given = [self._given(one) for one in plan.given]
        if all(self._is_text(one) for one in texts):
            words = pytext.text_expression(plan.segments)
            return _listed([*given, words] if plan.segments else given) if given else words
        values: list[str] = []
        run: list[Segment] = []
        for segment in (*plan.segments, None):
            if isinstance(segment, str) or (segment is not None and self._is_text(segment)):
                run.append(segment)
                continue
            values += [pytext.text_expression(run)] if run else []
            run = []
            if segment is not None:
                values.append(self._value(segment))
        self._helpers.add("prompt_of")
        words = call(f"{OWN}prompt_of", values)
        return _listed([*given, f"*{words}"]) if given else words

    def _sent(self, parts: Sequence[Part]) -> str:
        """The words and media of a prompt as they were sent."""
        if all(part.text is not None for part in parts):
            return pytext.text_expression(["".join(part.text or "" for part in parts)])
        return _listed(
            [
                python_frozen.media(part, self._helpers, self._files)
                if part.text is None
                else pytext.text_expression([part.text])
                for part in parts
            ]
        )

    def _is_text(self, found: Placeholder) -> bool:
        if found.conversion or (found.spec and found.spec not in _TABLES):
            return True
        return self._names.is_text(found.expression)

    def _value(self, found: Placeholder) -> str:
        if not found.spec:
            return found.expression
        self._helpers.add("table_text")
        return f"{OWN}table_text({found.expression}, {literal(found.spec)})"

    def _given(self, given: Given) -> str:
        if given.kind == "expression":
            self._helpers.add("titled")
            return f"*{OWN}titled({given.text}, {literal(given.text)})"
        if given.kind == "address":
            self._helpers.add("fetched")
            return f"{OWN}fetched({literal(given.text)})"
        if given.kind == "uri":
            self._helpers.add("Media")
            return f"{OWN}Media({literal(given.mime_type)}, uri={literal(given.text)})"
        self._helpers.add("file_of")
        kind = [literal(given.mime_type)] if given.mime_type else []
        return call(f"{OWN}file_of", [literal(given.text), *kind])


def _listed(values: list[str]) -> str:
    """The expression of a list."""
    return f"[{call('', values)[1:-1]}]"
