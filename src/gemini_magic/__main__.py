"""``python -m gemini_magic`` is ``jupyter gemini``."""

from gemini_magic.cli import main

main()
