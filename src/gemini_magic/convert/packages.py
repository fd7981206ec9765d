"""Which packages a notebook's imports need, for a script's first lines.

Only names that are well known become dependencies: a stranger's name on the package index may be
anybody's, and ``uv run`` installs without asking.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from gemini_magic.convert import python_genai, python_openai
from gemini_magic.convert.strangers import is_strange_name, tried

#: Modules whose package has another name. Source: https://pypi.org
_OTHERWISE = {
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "faiss": "faiss-cpu",
    "fitz": "pymupdf",
    "gemini_magic": "gemini-magic",
    "google.cloud.aiplatform": "google-cloud-aiplatform",
    "google.cloud.bigquery": "google-cloud-bigquery",
    "google.cloud.storage": "google-cloud-storage",
    "google.genai": python_genai.DEPENDENCY,
    "google.generativeai": "google-generativeai",
    "openai": python_openai.DEPENDENCY,
    "pptx": "python-pptx",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "vertexai": "google-cloud-aiplatform",
    "yaml": "pyyaml",
}
#: Modules whose package has the same name.
_SAME = frozenset(
    {"aiohttp", "altair", "anthropic", "bokeh", "chromadb", "datasets", "duckdb", "fastapi",
     "flask", "geopandas", "gradio", "graphviz", "httpx", "huggingface_hub", "imageio",
     "ipywidgets", "jinja2", "joblib", "langchain", "lxml", "markdown", "matplotlib", "networkx",
     "nltk", "numba", "numpy", "openpyxl", "pandas", "plotly", "polars", "protobuf", "psutil",
     "pyarrow", "pydantic", "pypdf", "pytest", "requests", "rich", "scipy", "seaborn",
     "sentence_transformers", "shapely", "sounddevice", "soundfile", "spacy", "sqlalchemy",
     "statsmodels", "streamlit", "sympy", "tabulate", "tenacity", "tensorflow", "tiktoken",
     "tokenizers", "torch", "torchaudio", "torchvision", "tqdm", "transformers", "wikipedia",
     "xarray", "xgboost"}
)  # fmt: skip


def is_module(name: str) -> bool:
    """Whether a file of this name would be in the way of the standard library or a package."""
    tops = {module.partition(".")[0] for module in _OTHERWISE}
    return name in sys.stdlib_module_names or name in _SAME or name in tops


def imported(tree: ast.AST) -> Iterator[str]:
    """The modules that code imports, without those that may be missing (``from a import b``: a.b).

    Those of the standard library and IPython are left out.
    """
    optional = set(tried(tree))
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import) and node not in optional:
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level and node not in optional:
            names = [f"{node.module}.{one.name}" for one in node.names]
        for name in names:
            if name.partition(".")[0] not in sys.stdlib_module_names and not is_strange_name(name):
                yield name


def package(module: str) -> str | None:
    """The package that has a module, as pip names it; None where that is not known for sure."""
    words = module.split(".")
    for count in range(len(words), 0, -1):
        if found := _OTHERWISE.get(".".join(words[:count])):
            return found
    return words[0].replace("_", "-") if words[0] in _SAME else None


def is_beside(module: str, folder: Path) -> bool:
    """Whether a module is in the notebook's own folder."""
    top = module.partition(".")[0]
    return (folder / f"{top}.py").is_file() or (folder / top).is_dir()
