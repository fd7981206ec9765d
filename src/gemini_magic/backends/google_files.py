"""Brings what is too large for a request to Google's Files API, once for each content and key.

Uploads are asked for aside: they spend no quota, and nothing of them counts as sent. They stream
from the disk in slices, and while one goes on, all who want the same content wait for it together.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from gemini_magic.backends.wire import aside, wire_failures
from gemini_magic.errors import BackendError, BadRequest, UsageError, WireError
from gemini_magic.events import Uploading, Waiting
from gemini_magic.types import Part

if TYPE_CHECKING:
    from google import genai

#: The largest file that Google takes. Source: https://ai.google.dev/gemini-api/docs/files
MAX_FILE = 2_000_000_000
#: Seconds before a file expires (after 48 hours) from which it counts as gone, and for how long it
#: is kept where Google does not say.
_MARGIN, _KEPT = 600.0, 47 * 3600.0
#: Seconds for which a file that was there is still there, without looking again.
_SURE = 60.0
#: Bytes that are handed to the network at once.
_SLICE = 64 * 1024
#: Seconds between two looks at an upload (for progress), and at a film that is processed.
_PACE, _POLL = 0.25, 1.0
#: Seconds without a byte after which an upload is given up, and that a film's processing may take.
_STALLED, _PROCESSED = 120.0, 1200.0
#: Seconds after which what goes on is said again: nobody is to take it for silence.
_ALIVE = 1.0


class Stored(NamedTuple):
    """A file at Google: its resource name, its address, and until when it is there (Unix time)."""

    name: str
    uri: str
    until: float


@dataclass(slots=True)
class _Upload:
    """One upload that goes on, and how far it is."""

    name: str
    total: int
    done: int = 0
    hashed: Any = field(default_factory=hashlib.sha256)
    processing: bool = False
    moved: float = field(default_factory=time.monotonic)
    watchers: int = 0
    task: asyncio.Task[Stored] | None = None


#: The upload whose requests the running task sends.
_uploading: ContextVar[_Upload | None] = ContextVar("gemini_magic_upload", default=None)


class Files:
    """The files of one key. ``client`` gives the SDK's client."""

    def __init__(self, client: Callable[[], genai.Client]) -> None:
        self._client = client
        self._stored: dict[str, Stored] = {}
        self._seen: dict[str, float] = {}
        self._running: dict[str, _Upload] = {}

    async def send(self, part: Part) -> AsyncGenerator[Uploading | Waiting | Stored]:
        """Have a part's content at Google; the last that is said is where it is.

        Raises ``UsageError`` for a file that changed or cannot be read, ``BackendError`` where
        Google cannot process it, and ``WireError("connect")``: nothing that counts was sent.
        """
        key = f"{await _digest(part)} {part.mime_type}"
        while (stored := self._stored.get(key)) is not None:
            if await self._is_there(stored):
                yield stored
                return
            if self._stored.get(key) is stored:  # else somebody brought it anew meanwhile
                del self._stored[key]
        upload = self._running.get(key)
        if upload is None:
            upload = _Upload(_name(part), part.size)
            upload.task = asyncio.create_task(self._upload(key, upload, part))
            upload.task.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._running[key] = upload
        task = upload.task
        assert task is not None
        upload.watchers += 1
        try:
            shown, said = -1, 0.0
            while not task.done():
                now = time.monotonic()
                done = upload.total + 1 if upload.processing else upload.done
                if now - upload.moved > _STALLED and not upload.processing:
                    raise WireError("connect", detail=f"the upload of {upload.name} stood still")
                if done != shown or now - said >= _ALIVE:
                    shown, said = done, now
                    if upload.processing:
                        yield Waiting(f"Google is processing {upload.name}")
                    else:
                        yield Uploading(upload.name, done, upload.total)
                await asyncio.wait({task}, timeout=_PACE)
        finally:
            upload.watchers -= 1
            if not upload.watchers:
                task.cancel()
                if self._running.get(key) is upload:
                    del self._running[key]
        stored = task.result()
        yield Uploading(upload.name, upload.total, upload.total)
        yield stored

    def doubt(self) -> None:
        """The service did not know a file: look at each before it is named again."""
        self._seen.clear()

    async def _is_there(self, stored: Stored) -> bool:
        if time.time() > stored.until - _MARGIN:
            return False
        if time.monotonic() - self._seen.get(stored.name, -_SURE) < _SURE:
            return True
        try:
            with aside(), wire_failures():
                found = await self._look(stored.name)
        except WireError as failure:
            if failure.status in (403, 404):  # Google's words for a file that has expired
                return False
            raise _unsent(failure) from None
        self._seen[stored.name] = time.monotonic()
        return _state(found) == "ACTIVE"

    async def _look(self, name: str) -> Any:
        """What Google says of a file. Raises ``WireError`` for silence, too."""
        try:
            async with asyncio.timeout(_STALLED):
                return await self._client().aio.files.get(name=name)
        except TimeoutError:
            raise WireError("connect", detail=f"no word of {name} for {_STALLED:g} s") from None

    async def _upload(self, key: str, upload: _Upload, part: Part) -> Stored:
        """Upload a part; on a task of its own, so that it can be left at once."""
        _uploading.set(upload)
        try:
            with aside(), wire_failures():
                found = await self._bring(upload, part)
        except WireError as failure:
            raise _unsent(failure) from None
        except (KeyError, ValueError, TypeError) as odd:  # an answer that the SDK cannot read
            detail = f"the upload of {upload.name} was not understood ({type(odd).__name__})"
            raise WireError("connect", detail=detail) from None
        stored = Stored(found.name or "", found.uri or "", time.time() + _kept(found))
        self._stored[key] = stored
        self._seen[stored.name] = time.monotonic()
        return stored

    async def _bring(self, upload: _Upload, part: Part) -> Any:
        _check(part, upload.name)
        files = self._client().aio.files
        source = _source(part)
        try:
            found = await files.upload(
                file=source,
                config={"mime_type": part.mime_type, "display_name": upload.name[:500]},
            )
        except OSError as error:
            raise _unreadable(part, error) from None
        finally:
            if isinstance(source, io.IOBase):
                source.close()
        if part.file is not None and upload.hashed.hexdigest() != part.file.digest:
            await files.delete(name=found.name or "")
            raise _changed(upload.name)
        until = time.monotonic() + _PROCESSED
        while (state := _state(found)) == "PROCESSING":
            upload.processing = True
            if time.monotonic() > until:
                raise BackendError(
                    f"Google is still processing {upload.name}; nothing was asked.",
                    "Run the cell again in some minutes.",
                )
            await asyncio.sleep(_POLL)
            found = await self._look(found.name or "")
        if state == "FAILED" or not found.uri:
            why = getattr(found.error, "message", None) or "it did not say why"
            raise BadRequest(
                f"Google could not process {upload.name} ({str(why)[:200]}); nothing was asked.",
                "Send it in another form, for example as MP4, PDF, PNG or WAV.",
            )
        return found


def _unsent(failure: WireError) -> WireError:
    """A failure before the generate call was sent: nothing that counts left this machine."""
    return WireError("connect", failure.status, failure.body, failure.headers, failure.detail)


async def _digest(part: Part) -> str:
    if part.file is not None:
        return part.file.digest
    data = part.data or b""
    return await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())


def _name(part: Part) -> str:
    """What people call a part."""
    if part.name:
        return part.name
    if part.file is not None:
        return os.path.basename(part.file.path)
    return f"a {(part.mime_type or 'file').partition(';')[0]} of {part.size / 1e6:.1f} MB"


def _check(part: Part, name: str) -> None:
    """Raises ``UsageError`` for what can be told before a byte is sent."""
    if part.size > MAX_FILE:
        raise UsageError(
            f"{name} has {part.size / 1e9:.1f} GB, more than the {MAX_FILE / 1e9:.0f} GB that "
            "Google takes; nothing was sent."
        )
    if part.file is not None:
        try:
            size = os.stat(part.file.path).st_size
        except OSError as error:
            raise _unreadable(part, error) from None
        if size != part.file.size:
            raise _changed(name)


def _source(part: Part) -> str | io.IOBase:
    """What the SDK reads a part from: a path, which it reads aside.

    It puts the file's name into a header, so a name that does not fit there is not given.
    """
    if part.file is None:
        return io.BytesIO(part.data or b"")
    name = os.path.basename(part.file.path)
    if name.isascii() and name.isprintable():
        return part.file.path
    try:
        return open(part.file.path, "rb")
    except OSError as error:
        raise _unreadable(part, error) from None


def _changed(name: str) -> UsageError:
    return UsageError(
        f"{name} has changed since the prompt was made; nothing was asked.", "Run the cell again."
    )


def _unreadable(part: Part, error: OSError) -> UsageError:
    path = part.file.path if part.file else "the file"
    return UsageError(f"cannot read {path}: {error.strerror or error}; nothing was asked.")


def _state(found: Any) -> str:
    """PROCESSING, ACTIVE or FAILED; a file of which nothing is said is ready."""
    state = getattr(found.state, "value", found.state)
    return "ACTIVE" if state in (None, "STATE_UNSPECIFIED") else str(state)


def _kept(found: Any) -> float:
    """For how many seconds Google keeps a file, by its own clock."""
    try:
        return float((found.expiration_time - found.create_time).total_seconds())
    except TypeError:
        return _KEPT


async def slice_upload(request: Any) -> None:
    """The HTTP library's hook: an upload's bytes go out in slices, which are counted."""
    upload = _uploading.get()
    if upload is None or "upload" not in request.headers.get("x-goog-upload-command", ""):
        return
    from httpx2 import AsyncByteStream

    progress = upload
    data = memoryview(request.content)
    offset = int(request.headers.get("x-goog-upload-offset", "0"))

    class Slices(AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            for start in range(0, len(data), _SLICE):
                piece = bytes(data[start : start + _SLICE])
                if offset + start >= progress.done:  # the SDK sends again what was not taken
                    progress.hashed.update(piece)
                    progress.done = offset + start + len(piece)
                progress.moved = time.monotonic()
                yield piece

    request.stream = Slices()
