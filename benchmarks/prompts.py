"""Asks many prompts at once, one way or another: ``python -m benchmarks.prompts WAY URL KEY N``.

Prints as JSON how long all of them took together, in seconds, and how many failed.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

from benchmarks.cells import MODEL


def ours(url: str, key: str, count: int) -> int:
    """The engine, as a cell uses it, with the quota of the configuration in force."""
    from gemini_magic import config
    from gemini_magic.engine.admission import Admission
    from gemini_magic.engine.connections import Connections
    from gemini_magic.engine.engine import Engine
    from gemini_magic.types import Message, Part, Request, Target

    connections = Connections(config.load(), os.environ)
    engine = Engine(connections, admission=Admission(lambda: connections.config))
    requests = [Request((Message("user", (Part(f"Tide {n}?"),)),)) for n in range(count)]
    runs = [engine.stream(request, [Target("bench", MODEL)]) for request in requests]
    for run in runs:
        run.wait()
    failed = [run.error for run in runs if run.error is not None]
    engine.close()
    if failed:
        print(f"the first of {len(failed)} failures: {failed[0]!r}", file=sys.stderr)
    return len(failed)


def tenacity(url: str, key: str, count: int) -> int:
    """What people write around the raw SDK: up to three tries, 2 to 10 s apart."""
    from google import genai
    from tenacity import retry, stop_after_attempt, wait_exponential

    client = genai.Client(api_key=key, http_options={"base_url": url})

    @retry(wait=wait_exponential(min=2, max=10), stop=stop_after_attempt(3), reraise=True)
    async def ask(prompt: str) -> None:
        await client.aio.models.generate_content(model=MODEL, contents=prompt)

    async def all_of_them() -> int:
        prompts = (ask(f"Tide {n}?") for n in range(count))
        ended = await asyncio.gather(*prompts, return_exceptions=True)
        return sum(isinstance(one, BaseException) for one in ended)

    return asyncio.run(all_of_them())


def main() -> None:
    way, url, key, count = sys.argv[1:]
    began = time.monotonic()
    failed = {"ours": ours, "tenacity": tenacity}[way](url, key, int(count))
    print(json.dumps({"seconds": time.monotonic() - began, "failed": failed}))


if __name__ == "__main__":
    main()
