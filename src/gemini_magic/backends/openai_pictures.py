"""Pictures that an answer on OpenAI's wire hands us: untrusted, so bounded, checked and told.

A picture is what its first bytes say, never what the service calls it. What cannot be had becomes
a notice: one bad picture is no reason to lose an answer.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from gemini_magic.events import Notice, PartDone
from gemini_magic.media import HEAD, media_type
from gemini_magic.types import Part

#: Bytes of the largest picture that is taken: a raw 4K one.
MAX_PICTURE = 32_000_000
#: How many pictures one answer may name, and how many of them it may have us fetch.
MAX_PICTURES, MAX_FETCHED = 64, 16

#: The pictures that are taken: a browser or Pillow draws them, or they are saved at least.
_TAKEN = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/heic")
_NONE = "no PNG, JPEG, WebP, GIF, AVIF or HEIC"


def picture(data: bytes) -> Part | None:
    """The bytes as a part, if they begin as a picture does."""
    kind = media_type(data[:HEAD])
    return Part(data=data, mime_type=kind) if kind in _TAKEN else None


def from_base64(text: object) -> Part | str:
    """The picture, or why it is none."""
    if not isinstance(text, str):
        return "it is no text"
    if len(text) > MAX_PICTURE * 4 // 3 + 4:
        return f"it has more than {MAX_PICTURE / 1e6:.0f} MB"
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return "it is no base64"
    return picture(data) or f"it is {_NONE}"


class Album:
    """The pictures that one answer names by their addresses; each is taken once."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()
        self._fetched = 0

    async def add_url(self, url: object) -> AsyncIterator[PartDone | Notice]:
        """A picture by its address: ``data:`` or https."""
        if not isinstance(url, str) or not url or not self._is_new(url.encode("utf-8", "replace")):
            return
        if len(self._seen) > MAX_PICTURES:
            if len(self._seen) == MAX_PICTURES + 1:
                text = f"more than {MAX_PICTURES} pictures: the rest was left out"
                yield Notice(text, lost=True)
            return
        if url[:5].lower() == "data:":
            head, _, text = url.partition(",")
            found = from_base64(text) if head.lower().endswith(";base64") else "it is no base64"
        else:
            found = await self._fetch(url)
        yield told(found)

    async def _fetch(self, url: str) -> Part | str:
        from gemini_magic.web import FetchError, fetch

        self._fetched += 1
        if self._fetched > MAX_FETCHED:
            return f"more than {MAX_FETCHED} pictures by address"
        try:
            found = await asyncio.to_thread(fetch, url, limit=MAX_PICTURE, public=True)
        except FetchError as error:
            return str(error)
        if part := picture(found.data):
            return part
        return f"what {_host(url)} sent is {_NONE}"

    def _is_new(self, key: bytes) -> bool:
        digest = hashlib.sha256(key).digest()
        new = digest not in self._seen
        self._seen.add(digest)
        return new


def told(found: Part | str) -> PartDone | Notice:
    """The picture, or a line on why it is none."""
    if isinstance(found, Part):
        return PartDone(found)
    return Notice(f"a picture was left out: {found.rstrip('.')}", lost=True)


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "the address")[:100]
    except ValueError:
        return "the address"
