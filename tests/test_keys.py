"""Keys are found where they should be, kept where nobody else looks, and never shown."""

from __future__ import annotations

import copy
import json
import os
import pickle
import stat
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backend
import keyring.backends.fail
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_magic import env_files, keys, paths
from gemini_magic.config import Backend
from gemini_magic.errors import ConfigError

VALUE = "AIzaSyTest-0123456789_abcdefghijklmnopq"
STUDIO = Backend("studio", "google", key_env=("GOOGLE_API_KEY", "GEMINI_API_KEY"))

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX files")


class MemoryKeyring(keyring.backend.KeyringBackend):
    """A real keyring as far as the package is concerned."""

    priority = 5  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.asked = 0
        self.broken = False

    def get_password(self, service: str, username: str) -> str | None:
        self.asked += 1
        if self.broken:
            raise RuntimeError(f"locked, and it says {VALUE}")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.broken:
            raise RuntimeError("locked")
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("GEMINI_MAGIC_HOME", str(tmp_path / "home"))
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())
    yield tmp_path / "home"
    keyring.set_keyring(before)


@pytest.fixture
def ring() -> MemoryKeyring:
    made = MemoryKeyring()
    keyring.set_keyring(made)
    return made


def yes(question: str) -> bool:
    return True


def never(question: str) -> bool:
    raise AssertionError("nobody should be asked")


def value(key: keys.Key | None) -> str | None:
    return key.secret.reveal() if key else None


# --- Secret -------------------------------------------------------------------------------------


def test_a_secret_shows_itself_to_nobody() -> None:
    secret = keys.Secret(VALUE)
    key = keys.Key(secret, "GOOGLE_API_KEY")
    shown = [str(secret), repr(secret), f"{secret}", f"{secret!r:>60}", f"{secret:s}", repr(key)]
    shown += ["%s" % secret, "{}".format(key), repr([secret]), repr({"k": secret})]  # noqa: UP031, UP032
    assert not any(VALUE in text for text in shown)
    assert all("<key>" in text for text in shown)
    assert not hasattr(secret, "__dict__")
    assert copy.deepcopy({"a": secret})["a"] is copy.copy(secret) is secret
    assert secret == keys.Secret(VALUE) != keys.Secret("other")
    assert hash(secret) == hash(keys.Secret(VALUE))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_is_not_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(keys.Secret(VALUE), protocol)
    with pytest.raises(TypeError):
        json.dumps(keys.Secret(VALUE))


# --- the environment ----------------------------------------------------------------------------


def test_the_first_variable_wins_and_blanks_are_cut() -> None:
    environ = {"GOOGLE_API_KEY": f" {VALUE}\r\n", "GEMINI_API_KEY": "other"}
    key = keys.find(STUDIO, environ=environ)
    assert (value(key), key and key.where) == (VALUE, "GOOGLE_API_KEY")
    environ["GOOGLE_API_KEY"] = "  "
    key = keys.find(STUDIO, environ=environ)
    assert (value(key), key and key.where) == ("other", "GEMINI_API_KEY")


def test_no_key_anywhere(tmp_path: Path) -> None:
    assert keys.find(STUDIO, environ={}, env_file=tmp_path / ".env") is None
    assert keys.find(STUDIO, environ={"OPENAI_API_KEY": VALUE}) is None


def test_where_a_key_is_without_looking_at_it(ring: MemoryKeyring, tmp_path: Path) -> None:
    env_file = tmp_path / ".env"

    def place(**environ: str) -> str | None:
        return keys.place(STUDIO, environ=environ, env_file=env_file)

    assert place() is place(OPENAI_API_KEY=VALUE) is None
    keys.store("studio", VALUE, consent=never)
    ring.asked, ring.broken = 0, True  # locked
    assert place() == "keyring"
    env_file.write_text(f"GEMINI_API_KEY={VALUE}\n")
    assert place() == ".env"
    assert place(GOOGLE_API_KEY=VALUE) == "environment"
    assert ring.asked == 0
    env_file.unlink()
    keyring.set_keyring(keyring.backends.fail.Keyring())
    keys.store("studio", VALUE, consent=yes)
    assert place() == "file"


@pytest.mark.parametrize("bad", ["two words", "a\nb", "schlüssel", "a\tb", "a\0b", "„quoted“"])
def test_what_can_be_no_key_is_refused_unseen(bad: str) -> None:
    with pytest.raises(ConfigError) as caught:
        keys.find(STUDIO, environ={"GOOGLE_API_KEY": bad})
    assert "GOOGLE_API_KEY" in str(caught.value)
    assert bad not in str(caught.value)


# --- .env ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"GEMINI_API_KEY={VALUE}", VALUE),
        (f"export GEMINI_API_KEY={VALUE}", VALUE),
        (f"  GEMINI_API_KEY = {VALUE}  ", VALUE),
        (f"GEMINI_API_KEY='{VALUE}' # mine", VALUE),
        (f'GEMINI_API_KEY="{VALUE}"# mine', VALUE),
        (f"GEMINI_API_KEY={VALUE} # mine", VALUE),
        ("GEMINI_API_KEY=a#b", "a#b"),
        ("GEMINI_API_KEY='a#b'", "a#b"),
        (r'GEMINI_API_KEY="a\"b"', 'a"b'),
        ("GEMINI_API_KEY=$HOME", "$HOME"),
        ("GEMINI_API_KEY=old\nGEMINI_API_KEY=new", "new"),
        ("\ufeffGEMINI_API_KEY=bom", "bom"),
        ("GEMINI_API_KEY=crlf\r\nX=1\r\n", "crlf"),
        ("#GEMINI_API_KEY=x", None),
        ("GEMINI_API_KEY=", None),
        ("GEMINI_API_KEY= # empty", None),
        ("NOT_GEMINI_API_KEY=x", None),
        ("GEMINI_API_KEY x", None),
    ],
)
def test_env_file(tmp_path: Path, line: str, expected: str | None) -> None:
    file = tmp_path / ".env"
    file.write_text(line, "utf-8", newline="")
    key = keys.find(STUDIO, environ={}, env_file=file)
    assert value(key) == expected
    if key:
        assert key.where == f"GEMINI_API_KEY in {file}"


def test_the_environment_wins_and_env_file_never_enters_it(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(f"GOOGLE_API_KEY={VALUE}\nOPENAI_BASE_URL=https://evil.example\n")
    assert value(keys.find(STUDIO, environ={"GEMINI_API_KEY": "own"}, env_file=file)) == "own"
    assert value(keys.find(STUDIO, environ={}, env_file=file)) == VALUE
    assert "OPENAI_BASE_URL" not in os.environ
    assert os.environ.get("GOOGLE_API_KEY") != VALUE
    assert env_files.read(file, STUDIO.key_env) == {"GOOGLE_API_KEY": VALUE}


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=1))
def test_any_key_in_single_quotes_is_read_back(text: str) -> None:
    if "'" in text:
        return
    assert env_files._unquoted(f"'{text}'  # comment") == text


@given(st.binary(max_size=300))
def test_any_bytes_are_passed_over(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.mktemp("any") / ".env"
    file.write_bytes(data)
    assert set(env_files.read(file, ["GEMINI_API_KEY"])) <= {"GEMINI_API_KEY"}


def test_a_hostile_env_file_is_read_in_no_time(tmp_path: Path) -> None:
    for line in ("A=x" + " " * 60000 + "y", "export " * 9000, "A='" + "\\'" * 30000, "=" * 65000):
        (tmp_path / ".env").write_text(line)
        start = time.perf_counter()
        env_files.read(tmp_path / ".env", ["A"])
        assert time.perf_counter() - start < 0.5


@posix
@pytest.mark.parametrize("broken", [False, True])
def test_a_linked_env_file_is_refused(tmp_path: Path, broken: bool) -> None:
    target = tmp_path / "id_rsa"
    if not broken:
        target.write_text(f"GOOGLE_API_KEY={VALUE}")
    (tmp_path / ".env").symlink_to(target)
    with pytest.raises(ConfigError, match="is a link"):
        keys.find(STUDIO, environ={}, env_file=tmp_path / ".env")


@posix
def test_a_pipe_as_env_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".env")
    with pytest.raises(ConfigError, match="no plain file"):
        keys.find(STUDIO, environ={}, env_file=tmp_path / ".env")


def test_a_huge_env_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"#" * (64 * 1024) + b"\n")
    with pytest.raises(ConfigError, match="64 kB"):
        keys.find(STUDIO, environ={}, env_file=tmp_path / ".env")


def test_a_virtual_environment_called_env_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    assert keys.find(STUDIO, environ={}, env_file=tmp_path / ".env") is None


# --- the keyring and the keys file --------------------------------------------------------------


def test_stored_in_the_keyring(ring: MemoryKeyring) -> None:
    assert keys.find(STUDIO, environ={}) is None
    assert ring.asked == 0, "nothing of ours is in there, so it is not asked"
    assert keys.store("studio", f" {VALUE}\n", consent=never) == "keyring gemini_magic/studio"
    assert ring.kept == {("gemini_magic", "studio"): VALUE}
    assert VALUE.encode() not in (paths.data_dir() / "keys.json").read_bytes()
    key = keys.find(STUDIO, environ={})
    assert (value(key), key and key.where) == (VALUE, "keyring gemini_magic/studio")
    assert value(keys.find(STUDIO, environ={"GOOGLE_API_KEY": "env"})) == "env"
    assert keys.forget("studio")
    assert not ring.kept
    assert keys.find(STUDIO, environ={}) is None
    assert not keys.forget("studio")


def test_a_locked_keyring_is_a_clear_error_without_its_words(ring: MemoryKeyring) -> None:
    keys.store("studio", VALUE, consent=never)
    ring.broken = True
    with pytest.raises(ConfigError, match="OS keyring") as caught:
        keys.find(STUDIO, environ={})
    assert VALUE not in "".join(traceback.format_exception(caught.value))


def test_a_key_removed_from_the_keyring_by_other_means(ring: MemoryKeyring) -> None:
    keys.store("studio", VALUE, consent=never)
    ring.kept.clear()
    with pytest.raises(ConfigError, match="no longer") as caught:
        keys.find(STUDIO, environ={})
    assert "%gemini key studio" in caught.value.next_step


def test_a_keyring_that_cannot_store_leads_to_the_file(ring: MemoryKeyring) -> None:
    ring.broken = True
    assert keys.store("studio", VALUE, consent=yes) == str(paths.data_dir() / "keys.json")
    assert value(keys.find(STUDIO, environ={})) == VALUE


def test_without_keyring_a_file_after_consent() -> None:
    asked: list[str] = []

    def no(question: str) -> bool:
        asked.append(question)
        return False

    with pytest.raises(ConfigError, match="not stored"):
        keys.store("studio", VALUE, consent=no)
    assert "keys.json" in asked[0] and VALUE not in asked[0]
    assert keys.find(STUDIO, environ={}) is None
    where = keys.store("studio", keys.Secret(VALUE), consent=yes)
    assert value(keys.find(STUDIO, environ={})) == VALUE
    assert where == str(paths.data_dir() / "keys.json")
    assert keys.forget("studio")
    assert VALUE.encode() not in Path(where).read_bytes()


def test_a_bad_key_is_not_stored() -> None:
    for bad in ("", "  ", "two words"):
        with pytest.raises(ConfigError):
            keys.store("studio", bad, consent=never)


@posix
def test_the_file_is_private_with_umask_0() -> None:
    before = os.umask(0)
    try:
        file = Path(keys.store("studio", VALUE, consent=yes))
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o666])
def test_a_file_that_others_can_use_is_refused(mode: int) -> None:
    file = Path(keys.store("studio", VALUE, consent=yes))
    file.chmod(mode)
    with pytest.raises(ConfigError, match="others can read") as caught:
        keys.find(STUDIO, environ={})
    assert "chmod 600" in caught.value.next_step
    with pytest.raises(ConfigError):
        keys.store("apiyi", VALUE, consent=yes)
    assert value(keys.find(STUDIO, environ={"GEMINI_API_KEY": "env"})) == "env"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"studio": 1}', b"\xff"])
def test_a_damaged_file_is_a_clear_error(content: bytes) -> None:
    paths.write_private(paths.data_dir() / "keys.json", content)
    with pytest.raises(ConfigError, match="damaged"):
        keys.find(STUDIO, environ={})


def test_processes_at_once_lose_nothing() -> None:
    code = (
        "import sys, keyring, keyring.backends.fail as fail\n"
        "keyring.set_keyring(fail.Keyring())\n"
        "from gemini_magic import keys\n"
        "for i in range(10):\n"
        "    keys.store(f'{sys.argv[1]}-{i}', 'k' * 20, consent=lambda question: True)"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, f"b{n}"]) for n in range(4)]
    assert [process.wait(60) for process in started] == [0] * 4
    assert len(json.loads((paths.data_dir() / "keys.json").read_bytes())) == 40


# --- redact -------------------------------------------------------------------------------------

NAMES = st.text("abcdefgh0123456789-_", min_size=8, max_size=12)


@given(st.text(), st.lists(NAMES, min_size=1, max_size=4), st.data())
def test_no_key_survives_redaction(text: str, secrets: list[str], data: st.DataObject) -> None:
    for secret in secrets:
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + secret + text[at:]
    clean = keys.redact(text, [keys.Secret(secret) for secret in secrets])
    assert not any(secret in clean for secret in secrets)


def test_redaction_leaves_the_rest_alone() -> None:
    assert keys.redact("a b", []) == "a b"
    assert keys.redact("a b", [""]) == "a b"
    assert keys.redact(f"Bearer {VALUE}!", [VALUE]) == "Bearer <key>!"
    assert keys.redact("key2 key", ["key", "key2"]) == "<key> <key>"
