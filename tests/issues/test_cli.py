"""BD-3 … BD-6: the commands, their JSON, their exit codes, and help that helps."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import aicp
from aicp.issues.cli.spec import ALIASES, COMMANDS
from issues.running import Bd
from issues.stories import an_issue, lines

ROOT = Path(__file__).resolve().parents[2]


def made(bd: Bd, title: str, *words: str) -> str:
    return bd("create", title, "--silent", *words).strip()


def test_an_issue_goes_through_its_life(bd: Bd) -> None:
    one = bd.json(
        "create",
        "SEV1: API <b> & “outage”",
        "-p",
        "P0",
        "-t",
        "incident",
        "-l",
        "incident,sev1",
        "--tag=eu",
    )
    assert re.fullmatch(r"ops-[0-9a-z]{7}", one["id"])
    assert (one["status"], one["priority"], one["issue_type"], one["created_by"]) == (
        "open",
        0,
        "incident",
        "ann",
    )
    assert one["labels"] == ["eu", "incident", "sev1"]
    assert (one["dependencies"], one["comments"]) == ([], [])

    taken = bd.json(
        "update",
        one["id"],
        "--status",
        "in_progress",
        "--assignee",
        "oncall@example.com",
        "--tag",
        "warning",
    )
    assert taken[0]["started_at"] == taken[0]["updated_at"]
    assert taken[0]["labels"] == ["eu", "incident", "sev1", "warning"]
    said = bd.json("comment", one["id"], "- first line", "second")
    assert (said["text"], said["author"], said["issue_id"]) == (
        "- first line second",
        "ann",
        one["id"],
    )
    assert bd.json("comments", one["id"]) == [said]
    closed = bd.json("close", one["id"], "--reason", "Mitigated")[0]
    assert (closed["status"], closed["close_reason"]) == ("closed", "Mitigated")
    assert bd.json("close", one["id"])[0] == closed, "closing twice changes nothing"
    again = bd.json("reopen", one["id"], "-r", "it is back")[0]
    assert not {"closed_at", "close_reason"} & set(again)
    assert [e["event"] for e in bd.json("history", one["id"])] == [
        "created",
        "updated",
        "commented",
        "closed",
        "reopened",
    ]
    stored = bd.file.read_text()
    assert "\\u003cb\\u003e \\u0026 “outage”" in stored, "escaped as Go does"


def test_json_is_an_array_when_there_is_nothing(bd: Bd) -> None:
    for command in (
        "list",
        "ready",
        "blocked",
        "stale",
        "duplicates",
        "dep cycles",
        "history",
        "label list-all",
        "search x",
    ):
        assert bd.json(*command.split()) == [], command
    assert bd.json("stats")["total_issues"] == 0
    assert bd.json("count") == {"count": 0}


def test_ready_list_blocked_and_stats_agree(bd: Bd) -> None:
    parent, child, blocker = (
        made(bd, "parent", "-p", "1"),
        made(bd, "child", "-p", "0"),
        made(bd, "blocker", "-p", "3"),
    )
    other = made(bd, "other", "-l", "ops,db", "-a", "bob")
    link = bd.json("dep", "add", parent, blocker)
    assert link == {
        "depends_on_id": blocker,
        "issue_id": parent,
        "status": "added",
        "type": "blocks",
    }
    assert bd.json("dep", "add", parent, blocker)["status"] == "present"
    bd("dep", "add", child, parent, "--type", "parent-child")

    assert [i["id"] for i in bd.json("ready")] == [other, blocker]
    assert [i["id"] for i in bd.json("list", "--ready")] == [other, blocker]
    blocked = {i["id"]: i for i in bd.json("blocked")}
    assert blocked[child]["blocked_by"] == blocked[parent]["blocked_by"] == [blocker]
    assert blocked[parent]["blocked_by_count"] == 1
    assert f"its ancestor {parent} waits for {blocker}" in blocked[child]["explanation"]
    stats = bd.json("stats")
    assert (stats["ready_issues"], stats["blocked_issues"], stats["open_issues"]) == (2, 2, 4)
    assert bd("explain", child).startswith(f"{child} is not ready: its ancestor {parent} waits for")
    assert {i["id"]: i["ready"] for i in bd.json("ready", "--explain")} == {
        parent: False,
        child: False,
        blocker: True,
        other: True,
    }

    bd("update", blocker, "--status", "in-progress")
    assert [
        i["id"] for i in bd.json("ready", "--status", "open", "--tag", "ops", "--label", "db")
    ] == [other]
    assert bd.json("ready", "--status", "open", "-p", "3") == []
    assert [i["id"] for i in bd.json("ready", "-p3")] == [blocker]
    assert f"{parent} is closed although it waited for {blocker}" in bd.run("close", parent).stderr
    bd("close", blocker)
    assert [i["id"] for i in bd.json("ready")] == [child, other]
    assert [i["id"] for i in bd.json("list", "--status", "closed", "--sort", "title")] == [
        blocker,
        parent,
    ]
    assert [i["id"] for i in bd.json("list", "--label-any", "nope,db", "-a", "bob")] == [other]
    assert [i["id"] for i in bd.json("list", "--parent", parent)] == [child]


def test_epics_are_counted_and_closed_once_their_children_are_done(bd: Bd) -> None:
    epic = bd.json("create", "Quarterly \x1b[31m upkeep", "-t", "epic")["id"]
    bd("create", "no children yet", "-t", "epic", "--id", "e-2")
    for child in ("c-1", "c-2"):
        bd("create", child, "--id", child, "--parent", epic)
    bd("close", "c-1")
    assert bd.json("epic", "close-eligible") == []
    counted = {row["epic"]["id"]: row for row in bd.json("epic", "status")}
    assert counted[epic]["total_children"] == 2
    assert counted[epic]["closed_children"] == 1
    assert not counted[epic]["eligible_for_close"]
    assert not counted["e-2"]["eligible_for_close"], "without children nothing was finished"
    assert "1/2 done" in bd("epic", "status")
    assert "\x1b" not in bd("epic", "status")
    bd("close", "c-2")
    assert [row["epic"]["id"] for row in bd.json("epic", "status", "--eligible-only")] == [epic]
    assert bd.json("stats")["epics_eligible_for_closure"] == 1
    assert [i["id"] for i in bd.json("epic", "close-eligible", "--dry-run")] == [epic]
    assert [i["status"] for i in bd.json("epic", "close-eligible")] == ["closed"]
    assert bd.json("epic", "status", "--eligible-only") == []
    assert bd.json("show", epic)[0]["close_reason"] == "all its children are done"


def test_a_cycle_is_refused_with_the_way_round(bd: Bd) -> None:
    one, two, three = made(bd, "1"), made(bd, "2"), made(bd, "3")
    bd("dep", "add", two, one)
    bd("dep", "add", three, two, "-t", "parent-child")
    error = json.loads(bd.fails(6, "dep", "add", one, three, "--json"))
    assert error["facts"]["cycle"] == [one, three, two, one]
    assert error["error"] == f"this would be a cycle: {one} → {three} → {two} → {one}"
    assert "children never block their parent" in bd.fails(6, "dep", "add", two, three)
    bd("dep", "add", one, three, "--type", "discovered-from")
    bd("dep", "add", one, three, "--type", "related")
    assert bd.json("dep", "cycles") == []
    bd.fails(2, "dep", "add", one, one)
    bd("dep", "remove", two, one)
    bd.fails(3, "dep", "remove", two, one)


def test_cycles_that_came_in_by_merging_are_listed(bd: Bd) -> None:
    ring = lines(
        an_issue("x-1", on=[("blocks", "x-2")]), an_issue("x-2", on=[("parent-child", "x-1")])
    )
    bd("import", stdin=ring.decode())
    assert [[i["id"] for i in ring] for ring in bd.json("dep", "cycles")] == [["x-1", "x-2"]]
    assert bd("dep", "cycles").startswith("x-1 → x-2 → x-1\n")


def test_the_tree_shows_blockers_and_children(bd: Bd) -> None:
    maint, sub, deep, blocker = (made(bd, title) for title in ("maint", "sub", "deep", "blocker"))
    bd("dep", "add", sub, maint, "--type", "parent-child")
    bd("dep", "add", deep, sub, "--type", "parent-child")
    bd("dep", "add", maint, blocker)
    assert bd("dep", "tree", maint).splitlines() == [
        f"{maint} maint (P2 open, blocked)",
        f"├─ waits for {blocker} blocker (P2 open)",
        f"└─ child {sub} sub (P2 open, blocked)",
        f"   └─ child {deep} deep (P2 open, blocked)",
    ]
    down = bd.json("dep", "tree", maint)
    assert [(n["id"], n["depth"], n["parent_id"], n["edge_from_parent"]) for n in down] == [
        (maint, 0, "", ""),
        (blocker, 1, maint, "blocks"),
    ]
    assert [n["id"] for n in bd.json("dep", "tree", maint, "--direction", "both")] == [
        maint,
        blocker,
        sub,
        deep,
    ]
    assert [n["id"] for n in bd.json("dep", "tree", maint, "--reverse", "-d", "1")] == [maint, sub]
    picture = bd("dep", "tree", maint, "--format", "mermaid")
    assert picture.startswith("graph TD\n")
    assert "n0 -->|blocks| n1" in picture
    assert bd("dep", "tree", maint, "--format", "dot").startswith("digraph issues {")
    assert len(re.findall(" -> ", bd("list", "--format", "dot"))) == 3


def test_ids_of_every_shape_are_taken_and_may_be_cut_short_only_when_hashed(bd: Bd) -> None:
    made(bd, "old", "--id", "BD-4521")
    one = made(bd, "new")
    assert bd.json("show", "BD-4521")[0]["title"] == "old"
    assert bd.json("show", one[4:8])[0]["id"] == bd.json("show", one[:8])[0]["id"] == one
    bd.fails(3, "close", "BD-452")
    bd.fails(3, "close", "452")
    bd.fails(6, "create", "again", "--id", "BD-4521")
    bd.fails(2, "create", "again", "--id", "no id")
    bd("config", "set", "ids", "sequential")
    bd("config", "set", "prefix", "BD")
    assert made(bd, "next") == "BD-4522"


def test_several_ids_and_stdin_change_all_or_none(bd: Bd) -> None:
    one, two = made(bd, "1"), made(bd, "2")
    before = bd.file.read_bytes()
    assert "there is no issue ops-none" in bd.fails(3, "close", one, "ops-none", two)
    assert bd.file.read_bytes() == before
    bd("close", "-", stdin=f"{one}\n{two}\n")
    assert bd.json("count", "-s", "closed") == {"count": 2}
    bd("comment", one, "-", stdin="line 1\nline 2\n")
    assert bd.json("comments", one)[0]["text"] == "line 1\nline 2"
    long = "x" * 100_000
    bd("create", "long", "-d", "-", stdin=long)
    assert bd.json("search", "x" * 1000)[0]["description"] == long


def test_claiming_is_refused_when_somebody_has_it(bd: Bd) -> None:
    one = made(bd, "1")
    assert bd.json("update", one, "--claim")[0]["assignee"] == "ann"
    assert f"{one} cannot be claimed: it is assigned to ann" in bd.fails(
        6, "update", one, "--claim", "--actor", "bob"
    )


@pytest.mark.parametrize(
    ("code", "line", "words"),
    [
        (2, "craete x", "did you mean: bd create"),
        (2, "dep tre x", "did you mean: bd dep tree"),
        (2, "dep", "one of: dep add"),
        (2, "list --stauts open", "did you mean --status?"),
        (2, "list --status opne", "did you mean open?"),
        (2, "create x -t incidnt", "did you mean incident?"),
        (2, "create x -p 9", "is not one of 0 1 2 3 4"),
        (2, "create x -p", "-p needs a value"),
        (2, "create x --json=1", "takes no value"),
        (2, "create", "the title is empty"),
        (2, "create ''", "the title is empty"),
        (2, "create two words", "put it in quotes"),
        (2, "create x -l ,", "a label is empty"),
        (2, "create x --due tomorrow", "is not a time"),
        (2, "close", "ID... is missing"),
        (2, "list extra", "takes no argument"),
        (2, "ready --limit many", "takes a number"),
        (2, "ready --sort speed", "there is no order"),
        (2, "dep add ops-1 ops-2 --type blokcs", "did you mean blocks?"),
        (2, "config set colour red", "there is no setting"),
        (2, "completion tcsh", "one of: bash zsh fish"),
        (3, "show ops-none", "there is no issue"),
        (3, "dep tree ops-none", "there is no issue"),
        (3, "comment ops-none text", "there is no issue"),
        (3, "create x --parent ops-none", "there is no issue"),
        (3, "import -i nowhere", "there is no file"),
        (3, "restore ops-none", "git has no"),
    ],
)
def test_a_mistake_is_named_with_the_way_out(bd: Bd, code: int, line: str, words: str) -> None:
    assert words in bd.fails(code, *shlex.split(line))
    error = json.loads(bd.fails(code, *shlex.split(line), "--json"))
    assert (error["exit_code"], error["schema_version"]) == (code, 1)
    assert bd.json("list") == []


def test_without_a_store_the_way_to_one_is_named(a_repository: Callable[[str], Bd]) -> None:
    bd = a_repository("empty")
    assert "bd init" in bd.fails(3, "list")
    (bd.folder / ".beads").mkdir()
    assert "bd init" in bd.fails(3, "create", "x")


def test_a_store_of_another_repository_above_is_not_picked_up(bd: Bd) -> None:
    inner = bd.folder / "inner"
    inner.mkdir()
    assert bd("-C", "inner", "list") == "no issue fits\n", (
        "from a folder of the same repository it is"
    )
    subprocess.run(["git", "init", "-q", str(inner)], check=True)
    bd.fails(3, "-C", "inner", "list")


def test_a_sandbox_is_elsewhere_and_the_repository_untouched(bd: Bd, tmp_path: Path) -> None:
    before = bd.file.read_bytes()
    for name in ("one.db", "two.jsonl", "three"):
        sandbox = str(tmp_path / name)
        bd.fails(3, "--db", sandbox, "list")
        (tmp_path / "three").mkdir(exist_ok=True)
        bd("--db", sandbox, "create", name)
        assert [i["title"] for i in bd.json("list", "--db", sandbox)] == [name]
        bd.env["BEADS_DB"] = sandbox
        assert [i["title"] for i in bd.json("list")] == [name]
        del bd.env["BEADS_DB"]
    assert bd.file.read_bytes() == before
    assert not list(tmp_path.glob("*.tmp"))


def test_a_title_cannot_paint_the_terminal(bd: Bd) -> None:
    bd("create", "red \x1b[31malert\x07", "-d", "a\x1b]0;pwn\x07")
    shown = bd("list") + bd("show", bd.json("list")[0]["id"])
    assert not {"\x1b", "\x07"} & set(shown)
    assert bd.json("list")[0]["title"] == "red \x1b[31malert\x07"


def test_bytes_that_are_not_text_are_replaced(bd: Bd) -> None:
    subprocess.run(
        ["bd", "create", b"bad \xff byte"],
        cwd=bd.folder,
        env=bd.env,
        check=True,
        capture_output=True,
    )
    assert bd.json("list")[0]["title"] == "bad � byte"


def test_a_reader_that_stops_early_is_no_error(bd: Bd) -> None:
    bd(
        "import",
        stdin=lines(*(an_issue(f"x-{n:05}", description="d" * 500) for n in range(2000))).decode(),
    )
    done = subprocess.run(
        ["bash", "-c", "set -o pipefail; bd list --json | head -c 10"],
        cwd=bd.folder,
        env=bd.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def in_shell(bd: Bd, line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", line], cwd=bd.folder, env=bd.env, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("bd list >&-", 0),
        ("bd create 'still made' <&- >&- 2>&-", 0),
        ("bd create - <&-", 2),
        ("bd nope 2>&-", 2),
        ("bd nope 2>/dev/full", 2),
    ],
)
def test_closed_streams_are_empty_ones(bd: Bd, line: str, code: int) -> None:
    bd("create", "one")
    done = in_shell(bd, line)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert ("still made" in bd("list")) == ("still made" in line)


@pytest.mark.parametrize("words", ["bd create late", "bd create late --json -d - <big"])
def test_an_answer_that_cannot_be_written_does_not_deny_the_write(bd: Bd, words: str) -> None:
    (bd.folder / "big").write_text("d" * 100_000)
    done = in_shell(bd, f"{words} >/dev/full")
    assert done.returncode == 1
    assert "the answer cannot be written: No space left on device" in done.stderr
    assert "nothing was written" not in done.stderr
    assert "Traceback" not in done.stderr
    assert [issue["title"] for issue in bd.json("list")] == ["late"]


def test_chains_and_deep_trees_are_drawn(bd: Bd) -> None:
    chain = [
        an_issue(f"c-{n:04}", on=[("blocks", f"c-{n + 1:04}")] if n < 4999 else [])
        for n in range(5000)
    ]
    bd("import", stdin=lines(*chain).decode())
    shown = bd("dep", "tree", "c-0000").splitlines()
    assert len(shown) == 5000
    assert shown[-1].endswith("… 4999 └─ waits for c-4999 Title of c-4999 (P2 open)")
    assert [i["id"] for i in bd.json("ready")] == ["c-4999"]
    assert len(bd.json("dep", "tree", "c-0000")) == 5000


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help_with_an_example_that_parses(name: str) -> None:
    from aicp.issues.cli.options import parse
    from aicp.issues.cli.shell import help_text

    command = COMMANDS[name]
    assert command.examples
    assert all(example in help_text(name) for example in command.examples)
    for example in command.examples:
        call = re.split(r"[|<>]\s|<\(|\)$", example)
        words = shlex.split(next(part for part in call if part.strip().startswith("bd ")).strip())
        assert parse(words[1:]).name in COMMANDS
    spellings = [spelling for option in command.options for spelling in option[0]]
    assert len(spellings) == len(set(spellings)), "no option is spelled twice"


def test_help_lists_every_command_and_aliases_lead_somewhere(bd: Bd) -> None:
    shown = bd("help")
    assert all(name in shown for name in COMMANDS)
    assert bd() == bd("--help") == shown
    assert bd("dep", "add", "--help").startswith("bd dep add BLOCKED BLOCKER")
    assert set(ALIASES.values()) <= set(COMMANDS)


def test_starting_imports_nothing_slow_and_nothing_from_outside(bd: Bd) -> None:
    """The 25 ms bar, as what causes it: the clock on a busy machine would only flicker."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r})\n"
        "from aicp.issues.cli.entry import run\n"
        "code = run(sys.argv[1:])\nimport os\n"
        "sys.stderr.write(' '.join(sorted(sys.modules)))\nsys.exit(code)"
    )
    for line in ("ready --json", "list", "create x --json", "version"):
        words = [sys.executable, "-S", "-E", "-c", code, *line.split()]
        done = subprocess.run(
            words, cwd=bd.folder, env=bd.env, capture_output=True, text=True, check=True
        )
        loaded = set(done.stderr.split())
        assert not loaded & {
            "re",
            "json",
            "typing",
            "dataclasses",
            "pathlib",
            "datetime",
            "subprocess",
            "argparse",
            "site",
            "enum",
        }, line
        ours = {name for name in loaded if name.startswith("aicp.")}
        assert ours
        assert all(name.startswith("aicp.issues") for name in ours)
        assert {name.partition(".")[0] for name in loaded} <= sys.stdlib_module_names | {
            "aicp",
            "__main__",
        }


def test_the_package_imports_only_the_standard_library_and_itself() -> None:
    for file in (ROOT / "src/aicp/issues").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for module in names:
                known = module.partition(".")[0] in sys.stdlib_module_names
                assert known or module == "aicp" or module.startswith("aicp.issues"), (file, module)


def test_the_version_is_that_of_the_project() -> None:
    assert f'version = "{aicp.__version__}"' in (ROOT / "pyproject.toml").read_text()
