"""The old SDK in an environment of its own: it and the new one cannot share one for long."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import NoReturn

import pytest

PACKAGES = ("google-generativeai==0.8.6", "pillow")


def python() -> str:
    """The interpreter that has it; installed once into a cache folder."""
    root = os.environ.get("GEMINI_MAGIC_TEST_CACHE")
    base = Path(root) if root else Path.home() / ".cache" / "gemini_magic_tests"
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    folder = base / f"google-generativeai-0.8.6-{version}"
    found = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not found.exists():
        building = folder.with_name(f"{folder.name}.{os.getpid()}")
        try:
            venv.create(building, with_pip=True, clear=True)
            words = [str(building / found.relative_to(folder)), "-m", "pip", "install", "-q"]
            subprocess.run([*words, *PACKAGES], check=True, capture_output=True, timeout=300)
            building.rename(folder)
        except (OSError, subprocess.SubprocessError) as error:
            shutil.rmtree(building, ignore_errors=True)
            if not found.exists():  # else another process was faster
                _unavailable(f"the old SDK could not be installed: {error}")
    return str(found)


def _unavailable(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
