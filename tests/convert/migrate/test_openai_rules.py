"""The rules for openai as text before and after, and what is copied into programs."""

from __future__ import annotations

import ast
import textwrap

import pytest

from gemini_magic.convert.migrate.job import Options
from gemini_magic.convert.migrate.program import migrate
from gemini_magic.convert.migrate.to_openai import emitted, library
from tests.convert.migrate.cases import CASES

OLD = 'import google.generativeai as genai\ngenai.configure(api_key="k")\n'
MODEL = OLD + 'model = genai.GenerativeModel("m")\n'
OPTIONS = Options("https://proxy/v1", to="openai")
BEGIN = 'from openai import OpenAI\nclient = OpenAI(base_url="https://proxy/v1")\n'
ASK = 'client.chat.completions.create(**model, messages=[{"role": "user", "content": '
ASK_IN_TEXT = ASK.replace('"', "'")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("r = model.generate_content('x')\n", f"r = {ASK}'x'}}])\n"),
        ("print(model.generate_content('x', stream=False).text)\n",
         f"print({ASK}'x'}}]).choices[0].message.content or \"\")\n"),
        ("# asks\nr = model.generate_content(\n    'x',  # the prompt\n)\n",
         f"# asks\n# the prompt\nr = {ASK}'x'}}])\n"),
        ("f\"{model.generate_content('x').text}\"\n",
         f"f\"{{{ASK_IN_TEXT}'x'}}]).choices[0].message.content or ''}}\"\n"),
        ("r = model.generate_content('x', generation_config={'max_output_tokens': 9, "
         "'stop_sequences': ['E']}, request_options={'timeout': 60})\n",
         f"r = {ASK}'x'}}], max_tokens=9, stop=['E'], timeout=60)\n"),
        ("r = model.generate_content('x')\nif r.candidates[0].finish_reason == 2: pass\n"
         "print(r.usage_metadata.candidates_token_count)\n",
         f"r = {ASK}'x'}}])\nif r.choices[0].finish_reason == \"length\": pass\n"
         "print(r.usage.completion_tokens)\n"),
    ],
)  # fmt: skip
def test_rules(before: str, after: str) -> None:
    made = migrate(MODEL + before, OPTIONS)
    assert made.text == BEGIN + 'model = {"model": "m"}\n' + after
    assert {place.verdict for place in made.places} == {"done"}


@pytest.mark.parametrize(
    ("options", "client"),
    [
        (OPTIONS, 'OpenAI(base_url="https://proxy/v1")'),
        (OPTIONS._replace(key_env="PROXY_KEY"),
         'OpenAI(api_key=os.environ["PROXY_KEY"], base_url="https://proxy/v1")'),
        (Options(to="openai"),
         'OpenAI(api_key="k", base_url="https://generativelanguage.googleapis.com/v1beta/openai/")'),
        (Options('https://x/"+1', to="openai"), r'OpenAI(base_url="https://x/\"+1")'),
    ],
)  # fmt: skip
def test_clients(options: Options, client: str) -> None:
    made = migrate(MODEL + "model.generate_content('x')\n", options).text
    assert f"client = {client}\n" in made
    assert ("import os\n" in made) == ("os.environ" in made)


@pytest.mark.parametrize(
    ("program", "verdict", "word"),
    [
        ("model.generate_content('x', safety_settings='BLOCK_NONE')", "assisted", "safety"),
        ("model.generate_content('x', generation_config={'top_k': 1})", "assisted", "top_k"),
        ("model.count_tokens('x')", "left", "usage"),
        ("genai.upload_file('x')", "left", "upload_file"),
        ("genai.create_tuned_model()", "left", "create_tuned_model"),
        ("genai.embed_content(model='e', content='x', task_type='query')", "assisted", "task_type"),
        ("genai.GenerativeModel('m', tools='code_execution').generate_content('x')", "assisted",
         "tools"),
        ("model.start_chat(enable_automatic_function_calling=True)", "assisted", "tool_calls"),
        ("model.start_chat().rewind()", "left", "rewind"),
        ("print(model.generate_content('x').prompt_feedback)", "left", "content_filter"),
        ("for c in model.generate_content('x', stream=True): print(c.candidates)", "left",
         "a piece of a stream"),
        ("print(model.generate_content('x').candidates[0].safety_ratings)", "left",
         "no safety_ratings"),
        ("r = model.generate_content('x').candidates[0]\ntype(r).to_dict(r)", "left", "shape"),
        ("try: pass\nexcept genai.types.BlockedPromptException: pass", "assisted",
         "content_filter"),
        ("f = model.generate_content", "assisted", "the contents alone"),
        ("f = model.start_chat", "left", "handed on"),
    ],
)  # fmt: skip
def test_what_has_no_counterpart_is_marked(program: str, verdict: str, word: str) -> None:
    made = migrate(f"{MODEL}{program}\n", OPTIONS)
    assert any(one.verdict == verdict and word in one.text for one in made.places)
    assert any("TODO(gemini-magic)" in line and word in line for line in made.text.splitlines())


def test_names_that_the_program_has_are_not_taken() -> None:
    program = MODEL + "def as_messages(): ...\nprint(model.generate_content(['x']).text)\n"
    made = migrate(program, OPTIONS).text
    assert "messages=openai_as_messages(['x'])" in made
    names = [one.name for one in ast.parse(made).body if isinstance(one, ast.FunctionDef)]
    assert names.count("as_messages") == 1 and "openai_as_messages" in names


def test_embeddings_and_failures() -> None:
    made = migrate(OLD + textwrap.dedent("""\
        from google.api_core import exceptions
        try:
            r = genai.embed_content(model="models/e", content=["a", "b"], output_dimensionality=2)
            print(r["embedding"])
        except exceptions.ResourceExhausted as e:
            print(e.code)
        """), OPTIONS).text  # fmt: skip
    assert 'client.embeddings.create(model="e", input=["a", "b"], dimensions=2)' in made
    assert "print([one.embedding for one in r.data])" in made
    assert "except openai.RateLimitError as e:\n    print(e.status_code)" in made


def test_palm_stays_with_what_is_read_of_it() -> None:
    text = OLD + "r = genai.generate_text(prompt='x')\nprint(r.result, r.candidates[0]['output'])\n"
    made = migrate(text, Options(to="openai"))
    assert made.text.endswith("print(r.result, r.candidates[0]['output'])\n")
    assert any(place.verdict == "left" for place in made.places)


@pytest.mark.parametrize("name", emitted.names())
def test_each_function_comes_with_all_that_it_uses(name: str) -> None:
    lines, text = emitted.copied([name], {})
    space: dict[str, object] = {}
    exec("\n".join(lines) + "\n" + text, space)
    known = {*space, *dir(__builtins__), *__builtins__} if isinstance(__builtins__, dict) else {
        *space, *dir(__builtins__)}  # fmt: skip
    tree = ast.parse(text)
    bound = {one.id for one in ast.walk(tree) if isinstance(one, ast.Name)
             and isinstance(one.ctx, ast.Store)}  # fmt: skip
    bound |= {one.arg for one in ast.walk(tree) if isinstance(one, ast.arg)}
    bound |= {alias.name for one in ast.walk(tree) if isinstance(one, ast.ImportFrom)
              for alias in one.names}  # fmt: skip
    used = {one.id for one in ast.walk(tree) if isinstance(one, ast.Name)}
    assert used <= known | bound


def test_what_cannot_be_said_in_a_message() -> None:
    with pytest.raises(TypeError, match="object"):
        library.as_messages([object()])


@pytest.mark.parametrize("name", CASES)
def test_a_second_run_changes_nothing_and_line_ends_stay(name: str) -> None:
    made = migrate(CASES[name], OPTIONS).text
    assert migrate(made, OPTIONS).text == made
    windows = migrate(CASES[name].replace("\n", "\r\n"), OPTIONS).text
    assert windows == made.replace("\n", "\r\n")


def test_the_failures_of_blocked_prompts() -> None:
    made = migrate(
        MODEL
        + "try:\n    model.generate_content('x')\n"
        + "except genai.types.generation_types.StopCandidateException as e:\n    pass\n",
        OPTIONS,
    ).text
    assert "except openai.APIStatusError as e:" in made and "import openai\n" in made
