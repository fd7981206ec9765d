"""Which browser is driven, and how it is started so that it does nothing of its own accord."""

from __future__ import annotations

import os
import shutil

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
    "--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding",
]  # fmt: skip
_NAMES = ("chromium", "chromium-browser", "google-chrome")


def program() -> str | None:
    """The browser, None where there is none; ``GEMINI_MAGIC_CHROMIUM`` names another."""
    given = os.environ.get("GEMINI_MAGIC_CHROMIUM")
    return given or next(filter(None, map(shutil.which, _NAMES)), None)
