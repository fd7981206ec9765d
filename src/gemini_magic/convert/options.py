"""What the user may ask of an export besides its target."""

from __future__ import annotations

from typing import NamedTuple


class Options(NamedTuple):
    """``freeze``: the values that placeholders had when the cells ran, instead of live code.

    ``params``: the assignments of a cell tagged ``parameters`` become options of the command line.
    ``retry``: requests are repeated as far as that can help.
    """

    freeze: bool = False
    params: bool = False
    retry: bool = False


NONE = Options()
