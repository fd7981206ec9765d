"""``jupyter gemini export --git`` with the real git: what it commits, and what it refuses to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gemini_magic.cli import main
from gemini_magic.convert import git
from gemini_magic.errors import UsageError
from tests.convert.lab import document

KEY = "AIza" + "SyA1234567890abcdefghijklmnopqrstuv"
BRANCH = "gemini-export"


@pytest.fixture(autouse=True)
def own_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git configuration of the test's own, with an identity."""
    for name in list(os.environ):
        if name.startswith(("GIT_", "SSH_")):
            monkeypatch.delenv(name)
    config = tmp_path / "gitconfig"
    config.write_text("[user]\n\tname = Me\n\temail = me@example.com\n", "utf-8")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("HOME", str(tmp_path))
    written()
    return config


def written(text: str = "x = 1") -> None:
    Path("a.ipynb").write_text(json.dumps(document(text)), "utf-8")


def run(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", *words], cwd=folder, capture_output=True, text=True, encoding="utf-8"
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def made(folder: Path, *words: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    run(folder, "init", "--quiet", "--initial-branch=main", *words)
    return folder


def export(*words: str) -> None:
    main(["export", "a.ipynb", "--to", "python-genai", *words])


def failure(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as caught:
        export(*words)
    assert caught.value.code == 1
    return capsys.readouterr().err


def state(folder: Path) -> dict[str, bytes]:
    """All files of a folder, git's own without its objects and the log of the branch."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and BRANCH not in path.name and "objects" not in path.parts
    }


def test_a_commit_on_a_branch_of_its_own(tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    folder = made(tmp_path / "repo")
    (folder / "mine.txt").write_text("one")
    run(folder, "add", ".")
    run(folder, "commit", "-qm", "first")
    (folder / "mine.txt").write_text("dirty")
    (folder / "staged.txt").write_text("staged")
    run(folder, "add", "staged.txt")
    before = state(folder)
    # Without a terminal and without --yes: the diff, and nothing else.
    shown = failure(capsys, "--git", str(folder))
    assert "nothing was committed" in shown and "--yes" in shown
    assert state(folder) == before
    assert run(folder, "branch", "--list", BRANCH) == ""
    assert run(folder, "count-objects").startswith("4 objects")  # none came for the diff
    export("--git", str(folder), "--yes")
    out = capsys.readouterr()
    assert "+x = 1" in out.out and "python/a.py" in out.out and "a new branch" in out.err
    assert state(folder) == before  # the checkout and the index are as they were
    names = run(folder, "ls-tree", "-r", "--name-only", BRANCH).splitlines()
    assert "python/a.py" in names and "mine.txt" not in names and "README.md" in names
    assert run(folder, "log", "--format=%an %s", BRANCH) == "Me Export a.ipynb"
    # The same again is nothing to do; another notebook is a second commit.
    export("--git", str(folder), "--yes")
    assert "all of that already" in capsys.readouterr().err
    written("x = 2")
    export("--git", str(folder), "--yes")
    out = capsys.readouterr().out
    assert "-x = 1" in out and "+x = 2" in out
    assert run(folder, "rev-list", "--count", BRANCH) == "2"


def test_a_bare_repository_and_other_files_of_the_branch(tmp_path: Path) -> None:
    bare = made(tmp_path / "bare.git", "--bare")
    other = tmp_path / "other"
    run(tmp_path, "clone", "-q", str(bare), str(other))
    run(other, "checkout", "-qb", "pages")
    (other / "keep.txt").write_text("kept")
    run(other, "add", ".")
    run(other, "commit", "-qm", "x")
    run(other, "push", "-q", "origin", "pages")
    export("--git", str(bare), "--branch", "pages", "--yes")
    names = run(bare, "ls-tree", "-r", "--name-only", "pages").splitlines()
    assert "keep.txt" in names and "python/a.py" in names


@pytest.mark.skipif(os.name == "nt", reason="needs a terminal")
@pytest.mark.parametrize("answer", ["y", "n"])
def test_on_a_terminal_it_asks(answer: str, tmp_path: Path) -> None:
    import pty

    folder = made(tmp_path / "repo")
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    done = subprocess.run(
        [sys.executable, "-m", "gemini_magic", "export", "a.ipynb", "--git", str(folder)],
        stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, timeout=60,
    )  # fmt: skip
    os.close(theirs)
    shown = os.read(ours, 20_000).decode()
    os.close(ours)
    assert "Commit this to gemini-export? [y/N]" in shown and b"+x = 1" in done.stdout
    assert (done.returncode == 0) == (answer == "y")
    assert bool(run(folder, "branch", "--list", BRANCH)) == (answer == "y")


class Ssh:
    """A remote behind an ssh of our own, as the user's own ssh command would be."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bare = made(folder / "srv" / "repo.git", "--bare")
        self.log = folder / "ssh.log"
        script = folder / "ssh"
        script.write_text(
            f'#!/bin/sh\necho "$@" >> {self.log}\n'
            'while [ "$1" != me@example.com ]; do shift; done\n'
            "shift\nunset GIT_ALLOW_PROTOCOL GIT_SSH_COMMAND\n"
            'export GIT_CONFIG_GLOBAL=/dev/null\nexec sh -c "$*"\n'
        )
        script.chmod(0o755)
        monkeypatch.setenv("GIT_SSH_COMMAND", str(script))
        self.urls = (f"ssh://me@example.com{self.bare}", f"me@example.com:{self.bare}")


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ssh:
    return Ssh(tmp_path, monkeypatch)


@pytest.mark.parametrize("form", [0, 1])
def test_a_remote(form: int, ssh: Ssh, capsys: pytest.CaptureFixture[str]) -> None:
    url = ssh.urls[form]
    shown = failure(capsys, "--git", url)
    assert "nothing was committed" in shown
    assert "receive-pack" not in ssh.log.read_text()  # nothing was pushed
    export("--git", url, "--yes")
    assert "+x = 1" in capsys.readouterr().out
    assert "python/a.py" in run(ssh.bare, "ls-tree", "-r", "--name-only", BRANCH)
    written("x = 2")
    export("--git", url, "--yes")
    out = capsys.readouterr()
    assert "-x = 1" in out.out and "pushed" in out.err
    assert run(ssh.bare, "rev-list", "--count", BRANCH) == "2"
    export("--git", url, "--yes")
    assert "all of that already" in capsys.readouterr().err


def test_a_branch_that_moved_on_is_never_forced(ssh: Ssh, capsys, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    url = ssh.urls[0]
    export("--git", url, "--yes")
    # Somebody pushes between our look and our push: just before git-receive-pack is started.
    other = tmp_path / "other"
    run(tmp_path, "clone", "-q", "-b", BRANCH, str(ssh.bare), str(other))
    (other / "theirs.txt").write_text("theirs")
    run(other, "add", ".")
    run(other, "commit", "-qm", "theirs")
    script = Path(os.environ["GIT_SSH_COMMAND"])
    script.write_text(
        script.read_text().replace(
            "exec",
            f'case "$*" in *receive-pack*) git -C {other} push -q {ssh.bare} {BRANCH};; esac\nexec',
        )
    )
    written("x = 3")
    shown = failure(capsys, "--git", url, "--yes")
    assert "has moved on" in shown and "Run it again" in shown
    assert "theirs.txt" in run(ssh.bare, "ls-tree", "-r", "--name-only", BRANCH)


def test_a_push_that_is_refused(ssh: Ssh, capsys: pytest.CaptureFixture[str]) -> None:
    hook = ssh.bare / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'no \033[31mpushes\033[0m today' >&2\nexit 1\n")
    hook.chmod(0o755)
    shown = failure(capsys, "--git", ssh.urls[0], "--yes")
    assert "pre-receive hook declined" in shown and "no" in shown and "\033" not in shown
    missing = ssh.urls[0].replace("repo.git", "none.git")
    shown = failure(capsys, "--git", missing, "--yes")
    assert "git ls-remote failed" in shown and "Traceback" not in shown


def test_what_would_run_something_does_not(
    tmp_path: Path, ssh: Ssh, own_git: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hooks, filters, fsmonitor, external diffs, submodules: of a folder, and of a remote."""
    trap = tmp_path / "trap"
    trap.write_text(f'#!/bin/sh\necho "$0 $*" >> {tmp_path}/sprung\ncat\n')
    trap.chmod(0o755)
    folder = made(tmp_path / "repo")
    for hook in ("pre-commit", "post-commit", "reference-transaction", "pre-push", "commit-msg",
                 "post-checkout", "post-index-change", "pre-auto-gc"):  # fmt: skip
        (folder / ".git" / "hooks").mkdir(exist_ok=True)
        (folder / ".git" / "hooks" / hook).symlink_to(trap)
    hooks = folder / ".git" / "hooks"
    with own_git.open("a") as file:
        file.write(f"[core]\n\thooksPath = {hooks}\n")
    for name in ("core.fsmonitor", "filter.t.clean", "filter.t.smudge", "diff.external",
                 "diff.t.textconv", "core.pager", "gpg.program"):  # fmt: skip
        run(folder, "config", name, str(trap))
    run(folder, "config", "commit.gpgsign", "true")
    (folder / ".git" / "info").mkdir(exist_ok=True)
    (folder / ".git" / "info" / "attributes").write_text("* filter=t diff=t\n")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(trap))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    export("--git", str(folder), "--yes")
    written("x = 2")
    export("--git", str(folder), "--yes")
    export("--git", ssh.urls[0], "--yes")
    assert not (tmp_path / "sprung").exists(), (tmp_path / "sprung").read_text()


def test_links_and_submodules_of_a_branch_are_not_followed(tmp_path: Path, ssh: Ssh) -> None:
    work = made(tmp_path / "work")
    outside = tmp_path / "outside"
    outside.mkdir()
    (work / "python").symlink_to(outside)
    (work / ".gitmodules").write_text(
        f'[submodule "node"]\n\tpath = inputs\n\turl = ext::sh -c "touch {tmp_path}/sprung"\n'
    )
    run(work, "add", ".")
    run(work, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},inputs")
    run(work, "commit", "-qm", "trap")
    run(work, "push", "-q", str(ssh.bare), f"HEAD:{BRANCH}")
    export("--git", ssh.urls[0], "--yes")
    rows = run(ssh.bare, "ls-tree", "-r", BRANCH).splitlines()
    assert any(row.startswith("100644") and row.endswith("\tpython/a.py") for row in rows)
    assert not list(outside.iterdir()) and not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "where",
    [
        "--upload-pack=touch sprung", "-u", "ext::sh -c 'touch sprung'", "fd::17", "file:///tmp/x",
        "http://example.com/x.git", "git://example.com/x.git", "ftp://example.com/x",
        "https://me:secret@example.com/x.git", "git@host:x\n--force", "ssh://-oProxyCommand=x/y",
        "git@-oProxyCommand=touch:x", "a@b:--upload-pack=x", "nowhere", "", "ssh://host",
        "https://", "me@host::x", "remote::https://x/y", "\0",
    ],
)  # fmt: skip
def test_hostile_addresses(where: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError):
        git.is_remote(where)
    if where and not where.startswith("-"):
        shown = failure(capsys, f"--git={where}", "--yes")
        assert "nothing was written" in shown and "secret" not in shown
    assert os.listdir() == ["a.ipynb"]


@pytest.mark.parametrize(
    "where",
    ["https://github.com/me/x.git", "https://me@host.example:8443/x", "ssh://git@host:22/~/x.git",
     "git@github.com:me/x.git", "me@host:/srv/x.git", "https://[::1]:80/x"],
)  # fmt: skip
def test_addresses(where: str) -> None:
    assert git.is_remote(where)


@pytest.mark.parametrize(
    "branch", ["-f", "--force", "a b", "a..b", "x.lock", "HEAD", "", "a\nb", "@{-1}", "a:b", "/x"]
)
def test_hostile_branches(branch: str, tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    folder = made(tmp_path / "repo")
    shown = failure(capsys, "--git", str(folder), f"--branch={branch}", "--yes")
    assert "no name of a branch" in shown
    assert run(folder, "branch", "--list", "--all") == ""


def test_an_address_that_git_would_rewrite(own_git: Path, tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    with own_git.open("a") as file:
        file.write(f'[url "ext::sh -c touch% {tmp_path}/sprung% "]\n\tinsteadOf = https://trap/\n')
    shown = failure(capsys, "--git", "https://trap/x", "--yes")
    assert "not allowed" in shown and not (tmp_path / "sprung").exists()


def test_nobody_is_asked_for_a_password(google_server, own_git: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    with own_git.open("a") as file:
        file.write('[core]\n\taskPass = "touch asked; cat"\n')
        file.write('[url "ssh://nobody@127.0.0.1:1/"]\n\tinsteadOf = https://private/\n')
    shown = failure(capsys, "--git", "https://private/x", "--yes")
    assert "git ls-remote failed" in shown and not Path("asked").exists()


def test_what_is_missing(tmp_path: Path, own_git: Path, capsys, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    plain = tmp_path / "plain"
    plain.mkdir()
    assert "is no git repository" in failure(capsys, "--git", str(plain), "--yes")
    folder = made(tmp_path / "repo")
    (folder / "x").touch()
    run(folder, "add", ".")
    run(folder, "commit", "-qm", "x")
    shown = failure(capsys, "--git", str(folder), "--branch", "main", "--yes")
    assert "is checked out in" in shown and "--branch NAME" in shown
    own_git.write_text("")
    shown = failure(capsys, "--git", str(folder), "--yes")
    assert "does not know who you are" in shown and "user.email" in shown
    monkeypatch.setenv("PATH", str(plain))
    assert "git is not installed" in failure(capsys, "--git", str(folder), "--yes")
    assert run_list(folder) == ["main"]


def run_list(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / ".git" / "refs" / "heads").iterdir())


def test_a_key_is_in_no_commit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = made(tmp_path / "repo")
    written(f"key = '{KEY}'")
    shown = failure(capsys, "--git", str(folder), "--yes")
    assert "a key stands in cell c1" in shown and KEY not in shown
    export("--git", str(folder), "--yes", "--lift-keys")
    assert KEY not in run(folder, "log", "-p", BRANCH)


def test_words_that_do_not_go_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--git" in failure(capsys, "--yes")
    assert "--git" in failure(capsys, "--branch", "x", "--bundle", "x.zip")
    assert "--check" in failure(capsys, "--git", ".", "--check")
