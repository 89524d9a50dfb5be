"""An agent on one mission, with nothing but the `mcp` client.

It reads a row, proposes to change it, waits until people approved the plan, shows that a changed
argument is denied, and makes the approved call.

    aicp mission new "Note the call with our first account" --agent --data accounts.csv
    aicp mission token m-… > token.txt
    python examples/agent_mcp.py --url http://127.0.0.1:8700/mcp --column notes < token.txt
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import anyio
import httpx2
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client

Json = dict[str, Any]


async def main(url: str, token: str, column: str, poll: float) -> None:
    """The whole way of one mission."""
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as http,
        streamable_http_client(url, http_client=http) as streams,
        ClientSession(*streams[:2]) as session,
    ):
        await session.initialize()
        await work(session, column, poll)


async def work(session: ClientSession, column: str, poll: float) -> None:
    tools = [tool.name for tool in (await session.list_tools()).tools]
    tell("tools", ", ".join(tools))

    read = await ask(session, "table_select", limit=1)
    row = read["output"]["rows"][0]
    tell("read", f"row {row['key']}, untrusted: {read['untrusted']}")

    proposed = await ask(session, "mission_propose", plan=plan_for(read["account"], row, column))
    tell("proposed", f"{proposed['steps']} call")

    now = await approved(session, poll)
    name = now["tool"].replace(".", "_")
    denied = await ask(session, name, **(now["args"] | {"key": "another row"}))
    tell("denied", f"{denied['rule']}: {denied['why']}")

    done = await ask(session, name, **now["args"])
    tell("done", f"step {done['step']} of {done['steps']}")


def plan_for(account: str, row: Json, column: str) -> Json:
    """One call; its undo, its before-image and its risk are the control plane's to say."""
    args = {"key": row["key"], "set": {column: "called, sends regards"}}
    step = {"tool": "table.update", "account": account, "args": args}
    return {"title": "Note the call", "steps": [step], "reason": "The row says nothing of it yet."}


async def approved(session: ClientSession, poll: float) -> Json:
    """The first approved call, once people have decided."""
    told = ""
    while not (now := await ask(session, "mission_status"))["next"]:
        if now["waits_for"] != told:
            told = now["waits_for"]
            tell("waits for", told)
        await anyio.sleep(poll)
    return now["next"]


async def ask(session: ClientSession, tool: str, **args: Any) -> Json:
    """A tool's answer; a denial is an answer too."""
    return (await session.call_tool(tool, args)).structured_content


def tell(what: str, text: str) -> None:
    print(f"{what:<10} {text}", flush=True)  # noqa: T201  this is its output


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--column", default="notes")
    parser.add_argument("--poll", type=float, default=5.0)
    return parser.parse_args()


if __name__ == "__main__":
    given = options()
    anyio.run(main, given.url, sys.stdin.readline().strip(), given.column, given.poll)
