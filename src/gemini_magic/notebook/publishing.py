"""Publishes an output directly after another one, without the pause that ipykernel makes for it.

Before each output ipykernel flushes what was printed, and waits until its I/O thread has done so:
half a millisecond. Between two outputs of ours nothing is printed.
"""

from __future__ import annotations

import sys
from typing import Any


def publish_next(publisher: Any, data: dict[str, Any]) -> None:
    """Publish MIME data of text as an output of its own, with nothing printed since the last one.

    Whoever listens to the outputs of this kernel, or keeps them, gets it the usual way.
    """
    if not _sends_only(publisher):
        publisher.publish(data, {})
        return
    publisher.session.send(
        publisher.pub_socket,
        "display_data",
        {"data": data, "metadata": {}, "transient": {}},
        parent=publisher.parent_header,
        ident=publisher.topic,
    )


def _sends_only(publisher: Any) -> bool:
    """Whether to publish is to send a message and no more.

    Source: ipykernel 7.4, ``ZMQDisplayPublisher.publish``; in others of that name the same.
    """
    own = getattr(sys.modules.get("ipykernel.zmqshell"), "ZMQDisplayPublisher", None)
    return (
        type(publisher) is own
        and "publish" not in vars(publisher)
        and not getattr(publisher, "store_display_history", False)
        and not getattr(publisher, "_hooks", True)
    )
