"""Placeholders see the user's variables, and say what is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from gemini_magic.errors import PlaceholderError
from gemini_magic.notebook.namespace import Namespace


def value(expression: str, **variables: Any) -> Any:
    return Namespace(variables).value(expression)


def fails(expression: str, **variables: Any) -> PlaceholderError:
    with pytest.raises(PlaceholderError) as caught:
        value(expression, **variables)
    assert "nothing was sent" in caught.value.what
    return caught.value


def test_expressions() -> None:
    data = {"k": [1, 2]}
    assert value("data['k'][1]", data=data) == 2
    assert value("data", data=data) is data
    assert value("len(data['k'])", data=data) == 2
    assert value("f(n)[0](3)", f=lambda n: [lambda m: n * m], n=2) == 6
    assert value("[i for i in data]", data=[1]) == [1]


def test_an_undefined_name_is_told_with_the_nearest_ones_as_they_are_written() -> None:
    error = fails("myDta.columns", myData=1, other=2, _myDta=3)
    assert error.what == "'myDta' is not defined; nothing was sent."
    assert error.next_step == "Did you mean myData?"
    assert fails("zzz", a=1).next_step == ""
    assert fails("f(zzz)", f=len).what.startswith("'zzz' is not defined")
    assert fails("f()", f=lambda: qqq).what.startswith("'qqq' is not defined")  # type: ignore[name-defined] # noqa: F821


def test_what_an_expression_raises_is_told_in_one_line() -> None:
    error = fails("data['x']", data={})
    assert error.what == "data['x'] failed: KeyError: 'x'; nothing was sent."
    assert isinstance(error.__cause__, KeyError)

    def f() -> None:
        raise ValueError("a\nb" * 1000)

    assert len(fails("f()", f=f).what) < 250
    assert "ZeroDivisionError" in fails("1 / x", x=0).what
    assert "AttributeError" in fails("x.y", x=0).what
    assert "no Python expression" in fails("a b", a=1).what
    assert "no Python expression" in fails("", a=1).what


def test_an_interrupt_and_an_exit_go_through() -> None:
    for error in (KeyboardInterrupt, SystemExit):

        def f(error: type[BaseException] = error) -> None:
            raise error

        with pytest.raises(error):
            value("f()", f=f)


def test_binding_goes_to_the_users_own_dictionary() -> None:
    variables: dict[str, Any] = {"a": 1}
    space = Namespace(variables)
    space.bind({"b": 2})
    assert variables["b"] == 2
    assert space.value("a + b") == 3
    variables["a"] = 5
    assert space.value("a") == 5
