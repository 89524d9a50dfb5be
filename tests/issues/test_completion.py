"""`bd completion` in the shells themselves: TAB is pressed, and the line is what it should be."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aicp.issues.cli.completing import candidates
from aicp.issues.cli.spec import COMMANDS
from aicp.issues.model import EDGES, KINDS, STATUSES
from issues.running import Bd
from issues.terminal import Terminal, terminal

# What is typed before TAB, and the line afterwards. Only one word fits each.
LINES = {
    "a command": ("bd crea", "bd create "),
    "a command of a group": ("bd dep tr", "bd dep tree "),
    "an option": ("bd list --assi", "bd list --assignee "),
    "an option of a group's command": ("bd dep add --ty", "bd dep add --type "),
    "an option after an id": ("bd close op-1 --rea", "bd close op-1 --reason "),
    "a value": ("bd list --status in_p", "bd list --status in_progress "),
    "a value after =": ("bd list --status=in_p", "bd list --status=in_progress "),
    "a value after a comma": ("bd list --status open,in_p", "bd list --status open,in_progress "),
    "a dependency's type": ("bd dep add op-1 op-2 --type discov", "bd dep add op-1 op-2 --type discovered-from "),
    "an issue": ("bd show op-1", "bd show op-12 "),
    "an issue of another store": ("bd --db other show el", "bd --db other show else-1 "),
    "an issue after a type": ("bd create x --deps discovered-from:op-1", "bd create x --deps discovered-from:op-12 "),
    "only what can be reopened": ("bd reopen ", "bd reopen op-3 "),
    "a label": ("bd list --tag dep", "bd list --tag deployment "),
    "a setting": ("bd config get pre", "bd config get prefix "),
    "a shell": ("bd completion z", "bd completion zsh "),
    "about a command": ("bd help expla", "bd help explain "),
    "a file": ("bd import -i back", "bd import -i backup.jsonl "),
}  # fmt: skip
CASES = pytest.mark.parametrize(("typed", "wanted"), LINES.values(), ids=list(LINES))


def shell(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed here")
    return path


@pytest.fixture(scope="module")
def ops(tmp_path_factory: pytest.TempPathFactory, tools: Path) -> Bd:
    """op-12 (labelled), op-2, and op-3, which is closed; else-1 in another store."""
    bd = Bd(tmp_path_factory.mktemp("completion"), tools)
    bd.git("init", "-q", ".")
    bd("init", "--prefix", "op", "--ids", "sequential")
    bd("create", "Deploy: 'all' of it; $(touch hacked) `x`", "--id", "op-12", "-l", "deployment")
    bd("create", "Wait", "--id", "op-2")
    bd("create", "Over", "--id", "op-3")
    bd("close", "op-3")
    bd("--db", "other", "create", "Elsewhere", "--id", "else-1")
    (bd.folder / "backup.jsonl").write_text("")
    return bd


@pytest.fixture(scope="module")
def bash(ops: Bd) -> Iterator[Terminal]:
    """Bash with its completion sourced; Ctrl-T says what the line is."""
    with terminal([shell("bash"), "--norc", "--noprofile"], ops.folder, ops.env) as screen:
        screen.keys("PS1=; bind 'set bell-style none' 'set show-all-if-ambiguous on'\n")
        screen.keys("""bind -x '"\\C-t": printf "\\nline<%s>\\n" "$READLINE_LINE"'\n""")
        screen.keys("source <(bd completion bash); echo rea''dy\n")
        screen.until("ready")
        yield screen


@pytest.fixture(scope="module")
def zsh(ops: Bd) -> Iterator[Terminal]:
    """The same in zsh, which was never told to complete anything before."""
    with terminal([shell("zsh"), "-f"], ops.folder, ops.env | {"ZDOTDIR": ops.env["HOME"]}) as screen:  # fmt: skip
        screen.keys('PS1=; PS2=; unsetopt prompt_cr prompt_sp beep; zle_said() { print; print -r -- "line<$BUFFER>" }\n')  # fmt: skip
        screen.keys("zle -N zle_said; bindkey -e; bindkey '^T' zle_said\n")
        screen.keys("source <(bd completion zsh); echo rea''dy\n")
        screen.until("ready")
        yield screen


def completed(screen: Terminal, typed: str) -> str:
    """The line after TAB; the line is empty again afterwards."""
    screen.keys(f"{typed}\t\x14")
    screen.until("line<")
    line = screen.until(">")
    screen.keys("\x05\x15")
    return line


@CASES
def test_bash_completes(bash: Terminal, typed: str, wanted: str) -> None:
    assert completed(bash, typed) == wanted


@CASES
def test_zsh_completes(zsh: Terminal, typed: str, wanted: str) -> None:
    assert completed(zsh, typed).rstrip() == wanted.rstrip()


@CASES
def test_fish_completes(ops: Bd, typed: str, wanted: str) -> None:
    script = "source (bd completion fish | psub); complete -C $argv[1]"
    done = subprocess.run(
        [shell("fish"), "--no-config", "-c", script, typed],
        cwd=ops.folder, env=ops.env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    words = [line.partition("\t")[0] for line in done.stdout.splitlines()]
    last = wanted.split()[-1]
    assert words in ([last], [last.rpartition("=")[2]]), (done.stdout, done.stderr)


def test_bash_and_zsh_list_what_fits_and_zsh_says_what_it_means(
    bash: Terminal, zsh: Terminal
) -> None:
    for screen in (bash, zsh):
        screen.keys("bd dep \t")
        for word in ("add", "cycles", "remove", "tree"):
            assert word in screen.until("tree") + "tree"
            screen.seen = "add cycles remove tree" + screen.seen
        screen.keys("\x05\x15")
    zsh.seen = ""
    zsh.keys("bd show op-\t")
    assert "op-12" in zsh.until("Deploy: 'all' of it")
    zsh.keys("\x05\x15")


def test_nothing_in_an_issues_text_is_ever_run(ops: Bd, bash: Terminal, zsh: Terminal) -> None:
    for screen in (bash, zsh):
        completed(screen, "bd show op-12")
        completed(screen, "bd label add op-12 $(")
    assert not (ops.folder / "hacked").exists()


def test_zsh_finds_it_as_a_file_of_functions_too(ops: Bd, tmp_path: Path) -> None:
    """`bd completion zsh > $fpath[1]/_bd`: the very first TAB completes."""
    (tmp_path / "_bd").write_text(ops("completion", "zsh"))
    with terminal([shell("zsh"), "-f"], ops.folder, ops.env | {"ZDOTDIR": str(tmp_path)}) as screen:
        screen.keys(f"PS1=; fpath=({tmp_path} $fpath); autoload -Uz compinit; compinit -u\n")
        screen.keys("zle_said() { print; print -r -- \"line<$BUFFER>\" }; zle -N zle_said; bindkey -e; bindkey '^T' zle_said; echo rea''dy\n")  # fmt: skip
        screen.until("ready")
        assert completed(screen, "bd crea").rstrip() == "bd create"


def test_bash_is_given_only_words_that_it_cannot_misread(ops: Bd, tmp_path: Path) -> None:
    other = str(tmp_path / "hostile")
    ops("--db", other, "create", "x", "--id", "h-1", "-l", "a b,$(touch hacked),été,`x`,--y,a;b")
    said = ops("completion", "bash", "--", "--db", other, "list", "--tag", "")
    assert said.split() == ["--y", "été"]
    assert "$(touch hacked)\tlabel" in ops(
        "completion", "fish", "--", "--db", other, "list", "--tag", ""
    )


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_without_a_store_commands_and_options_are_still_offered(
    ops: Bd, tmp_path: Path, name: str
) -> None:
    bare = Bd(tmp_path, ops.folder)
    bare.env = ops.env
    assert "create" in bare("completion", name, "--", "cre")
    assert "--reason" in bare("completion", name, "--", "close", "--re")
    assert bare("completion", name, "--", "show", "") == ""


def test_an_unknown_shell_is_refused(ops: Bd) -> None:
    assert "one of: bash zsh fish" in ops.fails(2, "completion", "tcsh")
    assert ops.fails(2, "completion")


def offered(*line: str) -> list[str]:
    return [word for word, _ in candidates(list(line), lambda _: None)]


def test_every_command_and_every_option_is_offered() -> None:
    heads = set(offered(""))
    for name, command in COMMANDS.items():
        head, _, rest = name.partition(" ")
        assert head in heads
        assert not rest or rest in offered(head, "")
        spelled = {spelling for option in command.options for spelling in option[0]}
        assert spelled | {"--json", "--help"} <= set(offered(*name.split(), "--"))


def test_values_belong_to_their_option() -> None:
    sayings: dict[Callable[[], list[str]], tuple[str, ...]] = {
        lambda: offered("list", "-s", ""): STATUSES,
        lambda: offered("create", "x", "--type", ""): KINDS,
        lambda: offered("dep", "add", "-t", ""): EDGES,
        lambda: offered("link", "-t", ""): EDGES,
        lambda: offered("create", "--json", "-p", ""): ("0", "1", "2", "3", "4"),
        lambda: offered("create", "x", "--", "--"): (),
        lambda: offered("no-such-command", ""): (),
    }
    for ask, wanted in sayings.items():
        assert tuple(ask()) == wanted
