"""What holds for every command: help, wrong words, exit codes, no colour, no waste at start."""

from __future__ import annotations

import json
import subprocess
import sys

import click
import pytest

from aicp.cli import main as cli_main
from aicp.cli.mission_plan import connected
from cli.system import DELEGATE, PHONES, System, typed


def _commands(group: click.Group, path: tuple[str, ...] = ()):
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))


COMMANDS = [words for words in _commands(cli_main.cli) if words != ("demo",)]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_help_of_every_command_shows_an_example(words):
    said = typed(*words, "--help")
    assert said.code == 0
    assert "Example" in said.out
    assert f"aicp {' '.join(words)}" in said.out or len(words) == 1


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("mision", "list"), "aicp mission"),
        (("approve", "m-1"), "aicp mission approve"),
        (("aprove", "m-1"), "aicp mission approve"),
        (("mission", "shwo", "m-1"), "aicp mission show"),
        (("mission", "list", "--statsu", "ready"), "--status"),
    ],
    ids=str,
)
def test_a_wrong_word_suggests_the_right_one_and_exits_2(words, meant):
    said = typed(*words)
    assert said.code == 2
    assert meant in said.err
    assert said.out == ""


def test_an_api_command_loads_no_server_library(system: System):
    program = (
        "import sys\nfrom aicp.cli.main import main\n"
        "try:\n main(sys.argv[1:])\nexcept SystemExit as end:\n assert end.code == 0, end.code\n"
        "print(','.join(m for m in ('fastapi','pydantic','structlog','psycopg') if m in sys.modules))"
    )
    words = ["--data-dir", str(system.data), "mission", "list", "--limit", "1", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == ""


def test_help_needs_no_http_library():
    program = (
        "import sys\nfrom aicp.cli.main import main\n"
        "try:\n main(['mission', '--help'])\nexcept SystemExit:\n print('httpx' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "False"


def test_no_server_is_exit_7_with_the_command_that_starts_one_from_here(tmp_path):
    said = typed("--data-dir", str(tmp_path), "--demo", "mission", "list")
    assert said.code == 7
    assert f"aicp --data-dir {tmp_path} --demo up" in said.err


def test_a_server_that_does_not_answer_is_exit_7(system: System, monkeypatch):
    monkeypatch.setenv("AICP_URL", "http://127.0.0.1:9")
    assert system.run("mission", "list").code == 7


def test_refusals_have_their_exit_codes(system: System):
    table = str(system.table("refused.csv"))
    assert system.run("mission", "new", "   ", "--data", table).code == 2
    assert system.run("mission", "new", "x" * 1_000_000, "--data", table).code == 2
    assert system.run("mission", "new", PHONES, "--data", table, "--smtp", "nowhere").code == 2
    assert system.run("mission", "show", "m-none").code == 3
    assert system.run("mission", "show", "../people").code == 2
    assert system.run("mission", "new", PHONES, "--data", "/etc/hosts").code == 4
    assert system.run("mission", "new", PHONES, "--data", table, as_email=DELEGATE).code == 4
    assert system.run("mission", "list", as_email="nobody@home.example").code == 4


def test_an_error_is_json_when_json_was_asked_for(system: System):
    said = system.run("mission", "show", "m-none", "--json")
    error = json.loads(said.err)["error"]
    assert (said.code, said.out, error["code"], error["exit_code"]) == (3, "", "not_found", 3)


def test_a_fault_of_ours_is_one_sentence_unless_debug_is_asked_for(
    system: System, monkeypatch, capsys
):
    def broken(*_args: object, **_kwargs: object) -> None:
        raise KeyError("lost")

    monkeypatch.setattr("aicp.client.Client.get", broken)
    said = system.run("mission", "list")
    assert said.code == 1
    assert "KeyError" in said.err
    assert "--debug" in said.err
    with pytest.raises(SystemExit):
        cli_main.main(["--debug", "--data-dir", str(system.data), "mission", "list"])
    assert "Traceback" in capsys.readouterr().err


def test_an_empty_list_is_an_empty_json_list(system: System):
    assert system.run("mission", "list", "--status", "archived", "--json").json == []


def test_colour_is_for_terminals_and_no_color_turns_it_off(start, flown):
    import os
    import pty

    def shown(**env: str) -> str:
        ours, theirs = pty.openpty()
        process = start("mission", "list", stdout=theirs, env=os.environ | {"TERM": "xterm"} | env)
        assert process.wait(timeout=20) == 0
        os.close(theirs)
        text = os.read(ours, 65536).decode()
        os.close(ours)
        return text

    assert "\x1b[" in shown()
    assert "\x1b" not in shown(NO_COLOR="1")
    assert "\x1b" not in shown(TERM="dumb")


def test_a_reader_that_leaves_early_is_no_error(start, flown):
    process = start("mission", "show", flown)
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(timeout=20) == 0


@pytest.mark.parametrize(
    "source",
    ["check:https://x.example/", "inbox:/mails", "mcp:notes", "nope", "webhook:~", "x:./a"],
)
def test_a_connection_is_made_absolute_only_when_it_begins_like_a_path(
    source, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/kim")
    wanted = {"webhook:~": "webhook:/home/kim", "x:./a": f"x:{tmp_path}/a"}
    assert connected(source) == wanted.get(source, source)
