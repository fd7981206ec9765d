"""ZIP files of apps, as AI Studio's Build mode gives them: what is in them is migrated as a folder.

Nothing is unpacked to disk, and hostile archives are refused; entries that are not changed keep
their bytes, their names and their order.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path, PurePosixPath

from gemini_magic.convert.migrate.javascript import files
from gemini_magic.convert.migrate.job import Options
from gemini_magic.convert.migrate.report import Place
from gemini_magic.convert.studio.archives import Archive
from gemini_magic.errors import GeminiMagicError

SUFFIX = ".zip"


def texts(data: bytes, name: str) -> dict[str, str]:
    """The files in an archive that may be migrated, by their names. Raises ``GeminiMagicError``."""
    archive = Archive(data, name)
    found = {}
    for one in archive.names():
        path = PurePosixPath(one)
        if files.handles(path) and not files.is_built(path) and "node_modules" not in path.parts:
            try:
                found[one] = archive.data(one).decode("utf-8")
            except UnicodeDecodeError:
                continue  # it is no program, whatever it is called
    return found


def migrate(data: bytes, path: Path, options: Options) -> tuple[bytes, tuple[Place, ...]]:
    """The archive as it will be, and its places, each with the name of its entry.

    Raises ``GeminiMagicError`` where one of the programs cannot be read, too.
    """
    given = texts(data, path.name)
    # the names are made paths that nothing on this machine has
    top = path.resolve() / "app"
    options = options._replace(
        scripts=files.projects({top / name: text for name, text in given.items()}, options)
    )
    page = files.in_browser(given)
    made: dict[str, str] = {}
    places: list[Place] = []
    for name, text in given.items():
        inner = options._replace(path=top / name)
        try:
            one = files.migrate(text, PurePosixPath(name), inner, page=page)
        except GeminiMagicError as error:
            raise GeminiMagicError(f"{name} in it: {error.what}", error.next_step) from None
        places += [place._replace(cell=name) for place in one.places]
        if one.text != text:
            made[name] = one.text
    return _written(data, made) if made else data, tuple(places)


def _written(data: bytes, made: dict[str, str]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(held, "w") as new:
        new.comment = old.comment
        for info in old.infolist():
            text = made.get(info.filename)
            content = old.read(info) if text is None else text.encode("utf-8")
            new.writestr(info, content, info.compress_type)
    return held.getvalue()
