"""The files of JavaScript projects: programs, pages, ``package.json``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath

from gemini_magic.convert.migrate.javascript import manifest, program, vite
from gemini_magic.convert.migrate.javascript import page as pages
from gemini_magic.convert.migrate.javascript.project import Projects
from gemini_magic.convert.migrate.job import Options
from gemini_magic.convert.migrate.report import Migrated

SUFFIXES = (*program.SUFFIXES, ".html", ".htm")
#: Folders of what is built of programs.
_BUILT = frozenset({"dist", "build", "out", "coverage"})


def handles(path: PurePath) -> bool:
    """Whether a file is of a kind that can be migrated, by its name."""
    return path.suffix in SUFFIXES or path.name == manifest.NAME


def is_built(path: PurePath) -> bool:
    """Whether a file was made of others, by its name: nobody edits it."""
    return handles(path) and (".min." in path.name or bool(_BUILT & set(path.parts[:-1])))


def projects(texts: Mapping[Path, str], options: Options) -> Projects | None:
    """What the programs among these files know of each other; None where there is but one."""
    programs = {path.resolve(): text for path, text in texts.items()
                if path.suffix in program.SUFFIXES}  # fmt: skip
    return program.projects(programs, options)


def concerns(text: str, options: Options = Options()) -> bool:  # noqa: B008
    """Whether a text may use an SDK that is to be replaced."""
    if options.path is not None and vite.is_config(options.path):
        return vite.concerns(text, options)
    return program.concerns(text, options)


def in_browser(texts: Mapping[str, str]) -> bool:
    """Whether an app runs in a page, without a server of its own."""
    manifests = [text for name, text in texts.items() if PurePath(name).name == manifest.NAME]
    return any(map(manifest.in_page, manifests))


def migrate(text: str, path: PurePath, options: Options = Options(), *,  # noqa: B008
            page: bool = False) -> Migrated:  # fmt: skip
    """What such a file will be; ``page`` is whether it runs in a page. Raises
    ``GeminiMagicError``."""
    if vite.is_config(path):
        return vite.migrate(text, options)
    if path.name == manifest.NAME:
        return manifest.migrate(text, options)
    if path.suffix in (".html", ".htm"):
        return pages.migrate(text, options)
    return program.migrate(text, path.suffix, options, page=page)
