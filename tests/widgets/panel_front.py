"""A front end for a kernel's widgets, as small as can be: keeps their state, sends changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from queue import Empty
from typing import Any

from tests.kernels import Kernel

#: Seconds that anything may take on a busy machine.
PATIENCE = 60.0


class Front:
    """What a kernel's widgets show. ``show`` runs a cell as JupyterLab would, with a cell id."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.models: dict[str, dict[str, Any]] = {}
        self.closed: set[str] = set()
        #: Other messages that came, by their type.
        self.others: list[dict[str, Any]] = []
        kernel.others = self._take

    def run(self, code: str, cell_id: str = "panel") -> Any:
        request = self.kernel.start(code, cell_id=cell_id)
        done = self.kernel.finish(request)
        for _, message in done.messages:
            self._take(message)
        return done

    def read(self) -> None:
        """Take all messages that are there."""
        while True:
            try:
                self._take(self.kernel.client.get_iopub_msg(timeout=0.02))
            except Empty:
                return

    def _take(self, message: dict[str, Any]) -> None:
        kind, content = message["msg_type"], message["content"]
        if kind == "comm_open" and content["target_name"] == "jupyter.widget":
            self.models[content["comm_id"]] = dict(content["data"]["state"])
        elif kind == "comm_msg" and content["comm_id"] in self.models:
            if content["data"]["method"] in ("update", "echo_update"):
                self.models[content["comm_id"]] |= content["data"]["state"]
        elif kind == "comm_close":
            self.closed.add(content["comm_id"])
            self.models.pop(content["comm_id"], None)
        else:
            self.others.append(message)

    def until(self, condition: Callable[[], Any], what: str = "") -> Any:
        """Wait until something is so; what it is."""
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert time.monotonic() < deadline, what or "it did not happen in time"
            self.read()
        return found

    # --- finding ---

    def find(self, **wanted: Any) -> str:
        """The newest widget whose state says this; ``css`` is a class that it has."""
        css = wanted.pop("css", None)
        for comm, state in reversed(self.models.items()):
            if css is not None and css not in state.get("_dom_classes", ()):
                continue
            if all(state.get(name) == value for name, value in wanted.items()):
                return comm
        raise AssertionError(f"no widget has {wanted} {css}")

    def has(self, **wanted: Any) -> bool:
        try:
            self.find(**wanted)
        except AssertionError:
            return False
        return True

    def below(self, comm: str) -> list[dict[str, Any]]:
        """The state of a widget and of all below it, in their order."""
        state = self.models.get(comm)
        if state is None:
            return []
        children = [str(one).removeprefix("IPY_MODEL_") for one in state.get("children", ())]
        return [state, *(one for child in children for one in self.below(child))]

    def texts(self, comm: str) -> str:
        """All that is shown at a widget and below."""
        said = []
        for state in self.below(comm):
            if state.get("_model_name") == "HTMLModel":
                said.append(state["value"])
            for output in state.get("outputs", ()):
                said += [str(output["data"].get("text/markdown") or output["data"]["text/plain"])]
        return "\n".join(filter(None, said))

    # --- doing ---

    def click(self, comm: str, **header: Any) -> None:
        self._send(comm, {"method": "custom", "content": {"event": "click"}}, **header)

    def set(self, comm: str, value: Any, name: str = "value") -> None:
        self.models[comm][name] = value
        self._send(comm, {"method": "update", "state": {name: value}, "buffer_paths": []})

    def upload(self, comm: str, name: str, kind: str, content: bytes) -> None:
        """Choose a file."""
        file = {"name": name, "type": kind, "size": len(content), "last_modified": 1}
        state = {"value": [file], "error": ""}
        path = ["value", 0, "content"]
        data = {"method": "update", "state": state, "buffer_paths": [path]}
        self._send(comm, data, [content])

    def _send(
        self, comm: str, data: dict[str, Any], buffers: Sequence[bytes] = (), **header: Any
    ) -> None:
        client = self.kernel.client
        message = client.session.msg("comm_msg", {"comm_id": comm, "data": data})
        message["header"] |= header
        client.session.send(client.shell_channel.socket, message, buffers=list(buffers))
