"""BD-8: every bd line of the playbook runs as it stands there and does what the text around it says."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from issues.running import Bd

ROOT = Path(__file__).resolve().parents[2]
OURS = ROOT / "docs/bd.md"
BESIDE = [up / "shared/spec/operations-playbook.md" for up in ROOT.parents]
PLAYBOOK = next((path for path in BESIDE if path.exists()), OURS)

MENTION = re.compile(r"bd(?: [a-z]+){1,2}(?: \.\.\.)?")
SETTING = re.compile(r'[A-Z_]+="[^"$`]*"')


def fenced(text: str) -> list[str]:
    """Shell lines from code blocks: those that call bd, and the variables they use."""
    lines = []
    for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL):
        for line in block.split("\n"):
            bare = line.strip().removeprefix("> ").strip()
            if "bd " in bare or SETTING.fullmatch(bare):
                lines.append(bare)
    return lines


def inline(text: str) -> list[str]:
    """Shell lines from `…` in the prose and the tables."""
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", prose)
    lines = [s for s in spans if s.startswith("bd ") or "=$(bd " in s]
    return [] if PLAYBOOK == OURS else lines  # our own prose quotes forms; its blocks are commands


def runnable(line: str) -> bool:
    return (
        not MENTION.fullmatch(line)
        or line == "bd init"
        or line == "bd list"
        or line == "bd dep cycles"
    )


def filled(line: str) -> str:
    """Stand-ins like <issue-id>, outside quotes, become shell variables that hold real ids."""
    parts = re.split(r'("[^"]*")', line)
    fill = re.compile(r"<([A-Za-z_-]+)>")
    return "".join(
        p if p.startswith('"') else fill.sub(lambda m: f'"$AN_{m[1].upper().replace("-", "_")}"', p)
        for p in parts
    )


def script(lines: list[str]) -> str:
    """One bash script that stops at the first line that fails and says which."""
    names = sorted(set(re.findall(r"\$(AN_[A-Z_]+)", " ".join(map(filled, lines)))) - {"AN_PATH"})
    out = [
        "set -u -o pipefail",
        "ONCALL_EMAIL=oncall@example.com RELEASE_TAG=2025.10.17 AN_PATH=sandbox.db",
        "bd init >/dev/null",
    ]
    out += [f'{name}=$(bd create "stand-in {name}" --json | jq -r .id)' for name in names]
    for text in map(filled, lines):
        line = text.replace('--db "$AN_PATH"', '--db "$AN_PATH" init')
        allowed = " || true" if line.startswith("[[") else ""
        out.append(
            f"{line.partition('   #')[0]}{allowed} || {{ echo FAILED: {shlex.quote(line)} >&2; exit 1; }}"
        )
    return "\n".join(
        [
            *out,
            'echo "::$DEPLOY_ISSUE::$INCIDENT::$MAINT" >&2'
            if "INCIDENT=" in " ".join(lines)
            else "",
        ]
    )


def run(bd: Bd, lines: list[str]) -> str:
    done = subprocess.run(
        ["bash", "-c", script(lines)],
        cwd=bd.folder,
        env=bd.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def issues(bd: Bd) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in bd.json("list")}


def test_every_bd_line_of_the_playbook_runs_in_a_fresh_repository(
    a_repository: Callable[[str], Bd],
) -> None:
    text = PLAYBOOK.read_text()
    bd = a_repository("playbook")
    lines = fenced(text) + [line for line in inline(text) if runnable(line)]

    run(bd, lines)

    assert len([line for line in lines if "bd " in line]) >= (40 if PLAYBOOK is not OURS else 10)
    for mention in {line.removesuffix(" ...") for line in inline(text) if not runnable(line)}:
        assert mention.split()[1] in bd("help", *mention.split()[1:])


@pytest.mark.skipif(PLAYBOOK is OURS, reason="the playbook is not beside the repository")
def test_the_playbook_lines_do_what_the_sentences_around_them_say(
    a_repository: Callable[[str], Bd],
) -> None:
    bd = a_repository("playbook")
    lines = fenced(PLAYBOOK.read_text())
    end = next(
        n
        for n, line in enumerate(lines)
        if line.startswith("bd close") and "DEPLOY_VERSION" in line
    )

    names = run(
        bd, [*lines[:end], *(x for x in lines[end + 1 :] if "INCIDENT" in x and "close" not in x)]
    )

    deploy, incident, maint = re.findall(r"::([^:\n]+)", names)
    found = issues(bd)
    assert len([i for i in found.values() if i["title"].startswith("Deploy")]) == 1, (
        "located, not created twice"
    )
    assert found[deploy]["status"] == "in_progress"
    assert found[deploy]["assignee"] == "oncall@example.com"
    assert found[deploy]["labels"] == ["deployment", "ops"]
    assert found[deploy]["priority"] == 1
    said = [c["text"] for c in found[deploy]["comments"]]
    assert said[:2] == [
        "CI build: https://ci.example.com/runs/123",
        "Evidence: docs/readiness/2025.10.16/",
    ]
    assert (found[incident]["issue_type"], found[incident]["priority"]) == ("incident", 0)
    assert found[maint]["dependencies"][0]["depends_on_id"] == deploy
    assert deploy in bd("dep", "tree", maint)
    assert maint in bd("dep", "tree", deploy), (
        "the subtasks are confirmed in the tree of their parent"
    )
    assert bd.json("dep", "cycles") == []

    run(bd, [f"DEPLOY_ISSUE={deploy}", 'DEPLOY_VERSION="2025.10.16"', lines[end]])
    closed = issues(bd)[deploy]
    assert (closed["status"], closed["close_reason"]) == (
        "closed",
        "2025.10.16 live; telemetry stable",
    )


def test_the_deploy_issue_is_found_behind_a_hundred_urgent_ones(bd: Bd) -> None:
    """Filters come before the limit, and JSON is never cut unless asked."""
    deploy = bd("create", "Deploy 1", "-p", "3", "-l", "ops,deployment", "--silent").strip()
    rows = [
        {"id": f"ops-{n}", "title": "urgent", "status": "open", "priority": 0, "issue_type": "task", "labels": ["ops"],
         "created_at": "2025-10-16T00:00:00Z", "updated_at": "2025-10-16T00:00:00Z"}
        for n in range(100)
    ]  # fmt: skip
    bd("import", stdin="\n".join(map(json.dumps, rows)))
    ready = bd.json("ready", "--tag", "ops")
    assert [i["id"] for i in ready if "Deploy" in i["title"]] == [deploy]
    assert len(ready) == 101
    cut = bd.run("ready")
    assert len(cut.stdout.splitlines()) == 10
    assert "10 of 101 shown" in cut.stderr
