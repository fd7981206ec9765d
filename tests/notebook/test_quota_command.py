"""``%gemini quota set`` and the history behind ``%gemini usage``, without a kernel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gemini_magic import config
from gemini_magic.errors import UsageError
from gemini_magic.notebook import quota_command, usage_command
from gemini_magic.quota.ledger import Grant
from gemini_magic.quota.opening import open_ledger
from gemini_magic.quota.plan import Asking
from gemini_magic.quota.rules import Stream
from gemini_magic.quota.store import Amount

BACKENDS = """
[backends.proxy]
kind = "openai"
base_url = "https://proxy.example.com/v1"
[backends.known]
kind = "openai"
base_url = "https://known.example.com/v1"
[prices.known."its-own"]
input = "1 USD"
output = "2 USD"
"""


@pytest.fixture
def session(configure: Callable[[str], Path]) -> Any:
    configure(BACKENDS)
    return SimpleNamespace(
        refresh=config.load, shell=SimpleNamespace(), magic=SimpleNamespace(name="gemini")
    )


def use(backend: str, model: str, cost: int = 0) -> None:
    """A request was answered and cost so many micro-dollars."""
    ledger = open_ledger(config.load())
    grant = ledger.admit(Asking(Stream(f"key:{backend}", model, backend)), Amount(1, 10))
    assert isinstance(grant, Grant)
    ledger.settle(grant, "answered", tokens=10, output=5, cost=cost)
    ledger.store.close()


@pytest.mark.parametrize("pair", ["rpd=_", "rpd=,", "rpd=_,_", "rpd=", "rpd=_5", "rpd=-5", "rpd=²"])
def test_a_size_without_a_number_is_refused_and_nothing_changes(session: Any, pair: str) -> None:
    use("proxy", "its-own")
    for words in (["set", "its-own", pair], ["set", "its-own", "rpm=5", pair]):
        with pytest.raises(UsageError, match="is no limit; nothing changed"):
            quota_command.run(session, words)
    ledger = open_ledger(config.load())
    assert ledger._read()[1].limits == {}
    ledger.store.close()


@pytest.mark.parametrize(("pair", "size"), [("rpd=1_000", 1000), ("RPD=2,500", 2500), ("rpd=5", 5)])
def test_a_size_may_have_separators(
    session: Any, capsys: pytest.CaptureFixture[str], pair: str, size: int
) -> None:
    use("proxy", "its-own")
    quota_command.run(session, ["set", "its-own", pair])
    assert f"rpd {size}." in capsys.readouterr().out


def shown(session: Any, capsys: pytest.CaptureFixture[str]) -> list[str]:
    usage_command.run(
        session.shell, lambda days: quota_command.history(session, days), [], "gemini"
    )
    return capsys.readouterr().out.splitlines()


def test_what_nobody_knows_the_price_of_is_never_for_nothing(
    session: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    use("proxy", "its-own")
    (row,) = quota_command.history(session, 7)
    assert row.cost == 0 and not row.priced
    lines = shown(session, capsys)
    assert lines[-2].split()[-1] == lines[-1].split()[-1] == "?"
    assert "$0" not in "\n".join(lines)
    picture = pytest.importorskip("matplotlib") and usage_command.picture([row])
    assert "$0" not in str(picture[1]) and "? in all" in str(picture[1])


def test_a_sum_says_that_a_part_of_it_is_unknown(
    session: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    use("proxy", "its-own")
    use("known", "its-own", 82_500)
    use("gone", "its-own")
    use("local", "qwen2.5-coder-0.5b")
    lines = shown(session, capsys)
    costs = {line.split()[1]: line.split()[-1] for line in lines[2:-1]}
    assert costs == {"proxy": "?", "known": "$0.08", "gone": "?", "local": "$0.00"}
    assert lines[-1].endswith("$0.08 + ?")
