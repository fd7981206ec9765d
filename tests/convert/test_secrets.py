"""What is a key in a text, what only looks like one, and taking keys out of code."""

from __future__ import annotations

import random
import string
import time

import pytest

from gemini_magic.convert.lifting import lift
from gemini_magic.convert.notebook_file import Cell, Notebook
from gemini_magic.convert.secrets import keys_given, keys_in, lines_with_keys, without_values

_ALL = string.ascii_letters + string.digits
_URL = _ALL + "-_"
_LOWER = string.ascii_lowercase + string.digits
#: How keys of each kind are made: what they begin with, of which characters, how many.
KINDS = {
    "GEMINI_API_KEY": [("AIzaSy", _URL, 33), ("AQ.Ab8RN6", _URL, 44)],
    "OPENAI_API_KEY": [("sk-", _ALL, 48), ("sk-proj-", _URL, 150), ("sk-", "0123456789abcdef", 32)],
    "OPENROUTER_API_KEY": [("sk-or-v1-", "0123456789abcdef", 64)],
    "ANTHROPIC_API_KEY": [("sk-ant-api03-", _URL, 95)],
    "GROQ_API_KEY": [("gsk_", _ALL, 52)],
    "HF_TOKEN": [("hf_", string.ascii_letters, 34)],
    "GITHUB_TOKEN": [("ghp_", _ALL, 36), ("github_pat_11", _ALL, 20)],
    "GITLAB_TOKEN": [("glpat-", _URL, 20)],
    "AWS_ACCESS_KEY_ID": [("AKIA", string.ascii_uppercase + "234567", 16)],
    "SLACK_TOKEN": [("xoxb-", string.digits + "-", 24)],
    "REPLICATE_API_TOKEN": [("r8_", _ALL, 37)],
    "XAI_API_KEY": [("xai-", _ALL, 80)],
    "NVIDIA_API_KEY": [("nvapi-", _URL, 64)],
}
PRIVATE = "-----BEGIN {}PRIVATE KEY{}-----"


@pytest.mark.parametrize("name", KINDS)
def test_keys_of_every_kind_are_found(name: str) -> None:
    chance = random.Random(name)
    missed = 0
    for start, characters, count in KINDS[name]:
        for _ in range(200):
            key = start + "".join(chance.choices(characters, k=count))
            if name == "GITHUB_TOKEN" and key.startswith("github"):
                key += "_" + "".join(chance.choices(_ALL, k=59))
            for text in (f"key = '{key}'", f"https://x/?key={key}&a=1", f"{key}", f"# {key}."):
                found = keys_in(text)
                missed += [one.name for one in found] != [name] or text[
                    found[0].start : found[0].end
                ] not in (key, key.rstrip("-_"))
    assert missed == 0


@pytest.mark.parametrize("kind", ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "])
def test_private_keys(kind: str) -> None:
    assert lines_with_keys(f"x\n{PRIVATE.format(kind, '')}\n") == [2]
    assert keys_in(PRIVATE.format("PGP ", " BLOCK"))
    assert not keys_in("-----BEGIN PUBLIC KEY-----")


@pytest.mark.parametrize(
    "text",
    [
        "YOUR_API_KEY", "AIza...", "AIzaSyYOUR_API_KEY_GOES_HERE_1234567890", "AIzaSy" + "X" * 33,
        "sk-your-openai-api-key-goes-here-please", "sk-" + "x" * 48, "sk-...", "sk-proj-xxxxxxxxxx",
        "<YOUR_GEMINI_API_KEY>", "sk-learn-pipelines-with-20-steps-and-more", "$GEMINI_API_KEY",
        "sk_linear_regression_model_2_scores", "hf_hub_download_and_load_dataset_from",
        "risk-assessment-of-many-things-1234", "ghp_" + "x" * 36, "AKIA" + "X" * 16,
        "task-1234567890abcdef1234567890", "github_pat_YOUR_TOKEN_GOES_HERE_123456789",
        'os.environ["GEMINI_API_KEY"]', "AIzaSy*********************************",
    ],
)  # fmt: skip
def test_what_is_no_key(text: str) -> None:
    assert not keys_in(f"key = '{text}'  # {text}")


def test_values_of_the_environment() -> None:
    environ = {"A_KEY": "correct horse battery", "SHORT": "abc", "B": "your-api-key-here", "C": ""}
    text = "one\ntoken = 'correct horse battery'\nabc your-api-key-here"
    (found,) = keys_in(text, environ, environ)
    assert (found.line, found.name) == (2, "A_KEY")
    assert not keys_in(text, [], environ)


KEY = "AIza" + "SyA1234567890abcdefghijklmnopqrstuv"


def lifted(source: str, kind: str = "code") -> str:
    made = lift(Notebook("n", (Cell("c", kind, source),)), lambda lines: lines)
    return made.notebook.cells[0].source


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f'k = "{KEY}"', 'import os\nk = os.environ["GEMINI_API_KEY"]'),
        (f"f(k='''{KEY}''')", 'import os\nf(k=os.environ["GEMINI_API_KEY"])'),
        (f'k = "a {KEY} b"', 'import os\nk = ("a " + os.environ["GEMINI_API_KEY"] + " b")'),
        (f'ü = "ü", "{KEY}"', 'import os\nü = "ü", os.environ["GEMINI_API_KEY"]'),
        (f"x = 1  # {KEY}", "x = 1  # <GEMINI_API_KEY>"),
        (f"%env MY_KEY={KEY}\nx = 1", "pass  # MY_KEY comes from the environment\nx = 1"),
        (f"%env MY_KEY '{KEY}'", "pass  # MY_KEY comes from the environment"),
        (f"%set_env MY_KEY = {KEY}", "pass  # MY_KEY comes from the environment"),
        (f'from __future__ import annotations\nk = "{KEY}"',
         'from __future__ import annotations\nk = __import__("os").environ["GEMINI_API_KEY"]'),
    ],
)  # fmt: skip
def test_lifting(before: str, after: str) -> None:
    assert lifted(before).rstrip("\n") == after


@pytest.mark.parametrize(
    "source",
    [
        f'k = f"{{x}}{KEY}"', f"%env GEMINI_API_KEY=x{{y}}{KEY}", f'!curl -H "x: {KEY}"',
        f"def (: '{KEY}'", f'match x:\n    case "{KEY}":\n        pass', "k = 1",
        PRIVATE.format("", ""),
    ],
)  # fmt: skip
def test_what_cannot_be_lifted_stays(source: str) -> None:
    assert keys_in(lifted(source)) or not keys_in(source)


def test_text_is_lifted_too() -> None:
    assert lifted(f"My key: {KEY}", "markdown") == "My key: <GEMINI_API_KEY>"


def test_keys_that_are_given_are_found_whatever_they_look_like() -> None:
    text = (
        "genai.configure(\n    api_key=\"q7Zp-0L2m\")\nMY_TOKEN: str = r'a/b.c+d='\n"
        'new GoogleGenerativeAI(`q7Zp-0L2m`), { apiKey: "zzz.yyy" }\n'
        'X_KEY = "YOUR_KEY_1"; Y_KEY = "GEMINI_API_KEY"; Z_KEY = "******"; key = "chat_input"\n'
    )
    found = [(key.name, key.line, text[key.start : key.end]) for key in keys_given(text)]
    assert found == [
        ("GEMINI_API_KEY", 2, "q7Zp-0L2m"), ("MY_TOKEN", 3, "a/b.c+d="),
        ("GEMINI_API_KEY", 4, "q7Zp-0L2m"), ("GEMINI_API_KEY", 4, "zzz.yyy"),
    ]  # fmt: skip
    assert without_values("x=a/b.c+d= a/b.c q7Zp-0L2m\n", {"a/b.c+d=": "A", "q7Zp-0L2m": "B"}) == (
        "x=[A] a/b.c [B]\n"
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("%env MY_API_KEY=q7Zp-0L2m", ("MY_API_KEY", "q7Zp-0L2m")),
        ("x = 1\n  %set_env MY_TOKEN q7Zp 0L2m \n", ("MY_TOKEN", "q7Zp 0L2m")),
        ("%env my_password = q7Zp{0L2m", ("MY_PASSWORD", "q7Zp{0L2m")),
        ("%env MY_KEY='q7Zp 0L2m'\r\n", ("MY_KEY", "q7Zp 0L2m")),
        ("export X_API_KEY=q7Zp-0L2m && run", ("X_API_KEY", "q7Zp-0L2m")),
        ("!export A=1 X_SECRET=q7Zp0L2m; run", ("X_SECRET", "q7Zp0L2m")),
        ("out = !DB_PASSWORD=q7Zp0L2m python a.py", ("DB_PASSWORD", "q7Zp0L2m")),
        ("!gcloud run --set-env-vars=API_KEY=q7Zp0L2m,A=b", ("GEMINI_API_KEY", "q7Zp0L2m")),
        ("# note\n%%bash -s\nA=1\nX_TOKEN=q7Zp0L2m", ("X_TOKEN", "q7Zp0L2m")),
        ("%%writefile .env\nX_TOKEN=q7Zp0L2m=", ("X_TOKEN", "q7Zp0L2m=")),
        ('export X_KEY="q7Zp0L2m"', ("X_KEY", "q7Zp0L2m")),
        ("!export X_KEY='q7Zp 0L2m'", ("X_KEY", "q7Zp 0L2m")),
        ("DB_PASSWORD = 'q7Zp0L2m'", ("DB_PASSWORD", "q7Zp0L2m")),
    ],
)
def test_values_of_the_environment_are_keys_by_their_name(
    text: str, wanted: tuple[str, str]
) -> None:
    found = [(key.name, text[key.start : key.end]) for key in keys_given(text)]
    assert found == [wanted]


@pytest.mark.parametrize(
    "text",
    [
        "%env", "%env MY_KEY", "%env MY_KEY=", "%env MY_KEY=$OTHER_ONE", "%env MY_KEY {other_one}",
        "%env MY_KEY=<your key>", "%env TOKENIZERS_PARALLELISM=false", "!export X_KEY=$(pass show)",
        "export X_KEY=${OTHER}", "MY_KEY=my_function", "X_TOKEN=os.environ['MY_OTHER']",
        "%%writefile a.py\nX_TOKEN=get_token", "%%bash\nX_TOKEN=$(get_token)",
        "!echo X_TOKEN KEY=a", "%%bash\necho X_TOKEN=YOUR_TOKEN_1", "%%gemini\nMY_TOKEN=something",
    ],
)  # fmt: skip
def test_what_an_environment_holds_beside_keys(text: str) -> None:
    assert not keys_given(text)


@pytest.mark.alone
def test_many_keys_that_are_given_take_no_time() -> None:
    text = "".join(f'A_KEY="q7Zp0L2m{number}"\n' for number in range(50_000))
    began = time.process_time()
    for hostile in (
        text,
        "API_KEY='" * 50_000,
        "KEY=" + " " * 200_000,
        "KEY" * 200_000,
        "!" + "A_KEY=q7Zp0L2m " * 50_000,
        "%env A_KEY" + " " * 200_000 + "=",
        "!A_KEY=q7Zp0L2m\n" * 50_000,
        " " * 200_000 + "!x",
        "#\n" * 100_000,
        "%env A_KEY=" + "{q7Zp0L2m" * 50_000,
        "a," * 100_000,
    ):
        keys = {hostile[key.start : key.end]: key.name for key in keys_given(hostile)}
        assert "q7Zp" not in without_values(hostile, keys)
    assert time.process_time() - began < 30
