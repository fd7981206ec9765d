"""Takes widgets away with all that belongs to them: each is a connection to the front end."""

from __future__ import annotations

from typing import Any


def close(widget: Any) -> None:
    """Close a widget, what is in it, and its looks."""
    for child in getattr(widget, "children", ()):
        close(child)
    for own in ("layout", "style"):  # widgets of their own, which would stay
        if (one := getattr(widget, own, None)) is not None:
            one.close()
    widget.close()
