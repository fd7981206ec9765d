"""Runs one server as a process of its own: `python -m tests.wire --google --chunks 200`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

from .google import MODELS as GOOGLE_MODELS
from .google import GoogleServer
from .openai import MODELS as OPENAI_MODELS
from .openai import OpenAIServer
from .openai_rules import last_text
from .quota import Quota
from .script import Answer


def split(text: str, n: int) -> list[str]:
    """The text in n pieces of nearly the same length (fewer, if it is shorter)."""
    cuts = [round(i * len(text) / n) for i in range(n + 1)]
    return [text[a:b] for a, b in pairwise(cuts) if a < b]


def prompt_of(request: Any) -> str:
    """The text of the last turn of either protocol's request."""
    if "messages" in request:
        return last_text(request["messages"])
    return "".join(part.get("text", "") for part in request["contents"][-1]["parts"])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.wire", description=__doc__)
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--google", action="store_true")
    kind.add_argument("--openai", action="store_true")
    kind.add_argument("--compat", action="store_true", help="Gemini's OpenAI-compatible endpoint")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key", help="the one key that is accepted")
    parser.add_argument("--model", action="append", default=[], help="one more known model")
    parser.add_argument("--chunks", type=int, default=1, help="stream chunks of an answer")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds between chunks")
    parser.add_argument("--first-delay", type=float, default=0.0, help="seconds before the headers")
    parser.add_argument("--stamp", action="store_true", help="monotonic ns in front of each chunk")
    parser.add_argument(
        "--network", type=float, nargs=2, default=(0.0, 0.0), metavar=("LEAST", "MOST"),
        help="seconds that a request and its answer are under way",
    )  # fmt: skip
    parser.add_argument("--rpm", type=int)
    parser.add_argument("--rpd", type=int)
    parser.add_argument("--tpm", type=int)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--text", help="the answer")
    what.add_argument("--text-file", type=Path, help="a file with the answer")
    what.add_argument("--echo", action="store_true", help="answer with the prompt (default)")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    text = args.text_file.read_text("utf-8") if args.text_file else args.text

    def respond(request: Any) -> Answer:
        shown = text if text is not None else prompt_of(request)
        return Answer(
            chunks=split(shown, args.chunks),
            delay=args.delay,
            first_delay=args.first_delay,
            stamp=args.stamp,
        )

    options: dict[str, Any] = {
        "port": args.port,
        "network": tuple(args.network),
        "quota": Quota(args.rpm, args.rpd, args.tpm),
        **({"key": args.key} if args.key else {}),
    }
    server: GoogleServer | OpenAIServer
    if args.google:
        server = GoogleServer(respond, models=[*GOOGLE_MODELS, *args.model], **options)
    else:
        server = OpenAIServer(
            respond, models=[*OPENAI_MODELS, *args.model], gemini_compat=args.compat, **options
        )
    end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end.set())

    def until_eof() -> None:
        sys.stdin.buffer.read()
        end.set()

    threading.Thread(target=until_eof, daemon=True).start()
    with server:
        print(json.dumps({"url": server.url, "key": server.key}), flush=True)
        end.wait()
        counts = {"generate": len(server.generate_calls), "refused": server.book.refused}
        print(json.dumps(counts), flush=True)


if __name__ == "__main__":
    main()
