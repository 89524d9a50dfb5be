"""The page behind a Connect Link: scopes in plain words, and three buttons. Plain HTML, no script."""

from __future__ import annotations

from html import escape

from aicp.toolkits.sandbox.composio.kit import Json
from aicp.toolkits.sandbox.composio.store import TOOLKITS

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:3rem auto;padding:0 1rem}"
    "strong.mark{background:#ffd54a;color:#000;padding:.1rem .5rem}button{font:inherit;padding:.4rem 1rem}"
    "code{font-size:.85em;color:#555}li{list-style:none;margin:.4rem 0}ul{padding:0}"
)


def ask(account: Json) -> str:
    """What is asked for, and the buttons Approve, Narrow and Deny."""
    kit = TOOLKITS[account["toolkit"]]
    boxes = "".join(
        f'<li><label><input type="checkbox" name="scope" value="{escape(str(scope))}" checked> '
        f"{escape(kit.scopes.get(str(scope), str(scope)))}<br><code>{escape(str(scope))}</code></label></li>"
        for scope in account["requested"]
    )
    asked_for = f" for <b>{escape(account['alias'])}</b>" if account["alias"] else ""
    return _page(
        f"Connect {kit.name}",
        f"<p>The AI Employee Control Plane asks{asked_for} to</p>"
        f'<form method="post"><ul>{boxes}</ul><p>'
        '<button name="decision" value="approve">Approve all</button> '
        '<button name="decision" value="narrow">Narrow to what is ticked</button> '
        '<button name="decision" value="deny">Deny</button></p></form>',
    )


def answered(account: Json) -> str:
    """What became of it."""
    words = {
        "ACTIVE": "Access was granted.",
        "FAILED": "Access was denied.",
        "EXPIRED": "This link has expired.",
        "REVOKED": "Access was taken back.",
        "INACTIVE": "The account is disabled.",
    }
    scopes = "".join(f"<li><code>{escape(str(scope))}</code></li>" for scope in account["granted"])
    back = account["callback"]
    link = (
        f'<p><a href="{escape(back)}">Back</a></p>'
        if back.startswith(("http://", "https://"))
        else ""
    )
    title = TOOLKITS[account["toolkit"]].name
    return _page(
        title,
        f"<p>{words[account['status']]}</p><ul>{scopes}</ul>{link}<p>You may close this page.</p>",
    )


def unknown() -> str:
    return _page("No such link", "<p>Ask for a new one.</p>")


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style><body>"
        '<p><strong class="mark">SANDBOX</strong> No real account is touched.</p>'
        f"<h1>{escape(title)}</h1>{body}</body></html>"
    )
