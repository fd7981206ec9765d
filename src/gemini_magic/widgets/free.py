"""Makes widgets that are heard while a cell runs."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Any


def free_of_cells(make: Callable[[], Any]) -> Any:
    """Make a widget whose clicks are heard while a cell runs.

    JupyterLab sends them to a thread of the kernel's own (a subshell). ipykernel 7.4 takes them to
    the thread of the cell that last had the kernel tell the widget something, where they would
    wait; a widget that no cell ever told anything goes by the front end's word.
    Source: ipykernel 7.4.0, ``comm.BaseComm.publish_msg`` and ``kernelbase.Kernel.get_parent``.
    """
    from IPython import get_ipython

    kernel = getattr(get_ipython(), "kernel", None)
    parent = getattr(kernel, "_shell_parent", None)
    if not isinstance(parent, contextvars.ContextVar):
        return make()
    context = contextvars.copy_context()
    context.run(parent.set, {})
    return context.run(make)
