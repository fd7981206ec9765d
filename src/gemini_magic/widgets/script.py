"""Has a front end that runs scripts run one of this folder, by a widget that shows nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ipywidgets


def script(name: str) -> Any:
    """An output with the script in it."""
    text = Path(__file__).with_name(name).read_text("utf-8")
    data = {"text/html": f"<script>{text}</script>", "text/plain": ""}
    shown = {"output_type": "display_data", "data": data, "metadata": {}}
    return ipywidgets.Output(outputs=(shown,), layout={"display": "none"})
