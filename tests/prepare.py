"""Fetches what the tests need beyond packages: the embedded model's weights."""

from __future__ import annotations

import os
import sys

from gemini_magic.backends import weights
from gemini_magic.errors import GeminiMagicError
from gemini_magic.notebook import local_command

if __name__ == "__main__":
    if weights.find(weights.default()) is None:
        try:
            local_command.install(None, None)
        except GeminiMagicError as error:
            print("\n".join(error.lines()))
            if os.environ.get("CI") == "true":
                sys.exit(1)
            print("The tests that ask the embedded model will be skipped.")
