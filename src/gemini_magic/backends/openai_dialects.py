"""Who speaks OpenAI's wire, and in what each of them differs from the others, told by its host."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from gemini_magic.catalog import default_model
from gemini_magic.errors import UsageError

Kind: TypeAlias = Literal["openai", "google", "openrouter", "llama.cpp", "other"]

#: Bytes of files that one request may hold. OpenAI's is the limit of all files of a request
#: (https://developers.openai.com/docs/guides/pdf-files, read in November 2026); Gemini's whole
#: request may have 20 MB, and base64 adds a third (https://ai.google.dev/gemini-api/docs/files).
_INLINE = 50_000_000
_INLINE_GOOGLE = 14_000_000


class Dialect(NamedTuple):
    """What one service understands; ``inline`` is how many bytes of files a request may hold."""

    kind: Kind
    inline: int = _INLINE


def dialect_of(host: str, *, llama_cpp: bool = False) -> Dialect:
    """The dialect of a host; of one that nobody knows, the plain wire."""
    if llama_cpp:
        return Dialect("llama.cpp")
    if host == "api.openai.com":
        return Dialect("openai")
    if host == "openrouter.ai" or host.endswith(".openrouter.ai"):
        return Dialect("openrouter")
    if host.endswith(".googleapis.com"):
        return Dialect("google", _INLINE_GOOGLE)
    return Dialect("other")


def refused(what: str, can: str = "Google's own wire can") -> UsageError:
    """The refusal of what this wire cannot do; ``can`` says who can, and the model follows."""
    return UsageError(f"{what}; nothing was sent.", f"{can}: -m studio:{default_model()}")
