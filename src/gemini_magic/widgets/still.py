"""A widget with what stays of it in the saved notebook, so that either is seen and never both."""

from __future__ import annotations

import uuid
from typing import Any

# The same is shown twice: as HTML that stays in the saved notebook, and as a widget. Where the
# widget is alive it takes the HTML's place; where it is not (no kernel, or another one), Lab would
# put an error there, which is hidden. A front end that knows neither shows both.
_STYLE = """<style>
body:has(.{live}) :is(.{still}, .jp-OutputArea-child:has(.{still})),
.jp-OutputArea-child:has(.{still}) + .jp-OutputArea-child:not(:has(.{live})) {{ display: none }}
</style>"""


class Still:
    """The two faces of a widget."""

    def __init__(self, widget: Any) -> None:
        name = uuid.uuid4().hex[:12]
        self._widget = widget
        self._live, self._still = f"gemini-magic-live-{name}", f"gemini-magic-{name}"
        widget.add_class(self._live)

    def outputs(self, html: str, plain: str) -> tuple[dict[str, Any], ...]:
        """MIME data to display, one output each: what stays, and the live view in its place."""
        still = {"text/plain": plain, "text/html": f'<div class="{self._still}">{html}</div>'}
        if self._widget.comm is None:
            return (still,)
        still["text/html"] += _STYLE.format(live=self._live, still=self._still)
        view = self._widget.get_view_spec()
        return still, {"application/vnd.jupyter.widget-view+json": view, "text/plain": ""}
