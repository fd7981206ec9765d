"""The doors of nbconvert: ``jupyter nbconvert --to gemini_python``, and JupyterLab's menu.

nbconvert comes with JupyterLab and loads this module by its entry points; nobody else does. What
is written is what ``jupyter gemini export`` writes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nbconvert.exporters import Exporter
from traitlets import Bool, default
from traitlets.config import Application

from gemini_magic.errors import GeminiMagicError

if TYPE_CHECKING:
    from gemini_magic.convert.exported import Exported
    from gemini_magic.convert.notebook_file import Notebook


class GeminiExporter(Exporter):
    """A notebook as a program of one target."""

    target: ClassVar[str]
    freeze = Bool(False, help="what placeholders were when the cells ran").tag(config=True)
    params = Bool(False, help="a cell tagged parameters becomes options").tag(config=True)
    retry = Bool(False, help="try again after 429 and 503").tag(config=True)

    @default("file_extension")
    def _file_extension_default(self) -> str:
        from gemini_magic.convert.targets import SUFFIXES

        return SUFFIXES[self.target]

    def from_filename(  # type: ignore[override]
        self, filename: str, resources: Any = None, **kw: Any
    ) -> tuple[str, dict[str, Any]]:
        """The program of a notebook's file, and nbconvert's resources."""
        path = Path(filename)
        resources = self._init_resources(resources)  # type: ignore[no-untyped-call]
        resources["metadata"].update(name=path.stem, path=str(path.parent))

        def read() -> Notebook:
            from gemini_magic.convert.notebook_file import read_file

            return read_file(path)

        return self._exported(read, path.absolute().parent, resources)

    def from_notebook_node(  # type: ignore[override]
        self, nb: Any, resources: Any = None, **kw: Any
    ) -> tuple[str, dict[str, Any]]:
        """The program of a notebook in memory, and nbconvert's resources."""
        resources = self._init_resources(resources)  # type: ignore[no-untyped-call]
        about = resources["metadata"]

        def read() -> Notebook:
            from gemini_magic.convert.notebook_file import notebook_of

            return notebook_of(nb, f"{about['name'] or 'Notebook'}.ipynb")

        return self._exported(read, Path(about["path"] or os.curdir).absolute(), resources)

    def _exported(self, read: Any, folder: Path, resources: Any) -> tuple[str, dict[str, Any]]:
        from gemini_magic.convert.exporting import export_notebook
        from gemini_magic.convert.options import Options
        from gemini_magic.convert.steps import told
        from gemini_magic.notebook.export_context import context_of

        options = Options(self.freeze, self.params, self.retry)
        try:
            made: Exported = export_notebook(read(), context_of(folder), self.target, options)
        except GeminiMagicError as problem:
            if _is_command():  # which would show a traceback
                raise SystemExit("\n".join(problem.lines())) from None
            raise
        for kind, text in told(made.notes):
            self.log.warning("%s: %s", kind, text)
        if made.files:
            resources["outputs"] = dict(made.files)
        return made.text, resources


def _is_command() -> bool:
    """Whether ``jupyter nbconvert`` runs, and no server."""
    if not Application.initialized():
        return False
    from nbconvert.nbconvertapp import NbConvertApp

    return isinstance(Application.instance(), NbConvertApp)


class GeminiPython(GeminiExporter):
    """``gemini_python``: Python with google-genai."""

    target = "python-genai"
    export_from_notebook = "Gemini: Python (google-genai)"
    output_mimetype = "text/x-python"


class GeminiOpenAI(GeminiExporter):
    """``gemini_openai``: Python with openai."""

    target = "python-openai"
    export_from_notebook = "Gemini: Python (openai)"
    output_mimetype = "text/x-python"


class GeminiNode(GeminiExporter):
    """``gemini_node``: Node.js with @google/genai."""

    target = "node-genai"
    export_from_notebook = "Gemini: Node.js"
    output_mimetype = "text/javascript"


class GeminiCurl(GeminiExporter):
    """``gemini_curl``: a shell script with curl."""

    target = "curl"
    export_from_notebook = "Gemini: curl"
    output_mimetype = "application/x-sh"
