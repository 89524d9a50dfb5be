"""Every command of `bd` with its options and examples: one table for all."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# An option: its spellings, the name it is kept under, how it is read (flag, text, list, number),
# what its value stands for, and what it does.
Option = tuple[tuple[str, ...], str, str, str, str]


class Command:
    """A command: `words` is (fewest, most) arguments, most None for any number."""

    __slots__ = ("arguments", "examples", "handler", "options", "summary", "words")

    def __init__(
        self,
        summary: str,
        arguments: str,
        words: tuple[int, int | None],
        handler: str,
        options: tuple[Option, ...] = (),
        examples: tuple[str, ...] = (),
    ) -> None:
        self.summary, self.arguments, self.words = summary, arguments, words
        self.handler, self.options, self.examples = handler, options, examples


def _flag(*names: str, to: str, does: str) -> Any:
    return names, to, "flag", "", does


def _text(*names: str, to: str, value: str, does: str) -> Any:
    return names, to, "text", value, does


def _list(*names: str, to: str, value: str, does: str) -> Any:
    return names, to, "list", value, does


def _number(*names: str, to: str, value: str, does: str) -> Any:
    return names, to, "number", value, does


GLOBAL: tuple[Option, ...] = (
    _flag("--json", to="json", does="answer in JSON; errors too, on stderr"),
    _text(
        "--db", to="db", value="PATH", does="another store, for sandboxes: folder, .jsonl or .db"
    ),
    _text("--actor", to="actor", value="NAME", does="who does it (BD_ACTOR, or the login name)"),
    _text("-C", "--directory", to="directory", value="DIR", does="as if started there"),
    _flag("-q", "--quiet", to="quiet", does="say nothing that was not asked for"),
    _flag("-h", "--help", to="help", does="show this"),
)
# Switches of daemons and databases that are gone; scripts that pass them still run.
IGNORED = ("--no-auto-flush", "--no-auto-import", "--no-daemon", "--no-db", "--sandbox",
           "--allow-stale", "--non-interactive", "--skip-hooks", "--no-cycle-check")  # fmt: skip

_STATUS = _list(
    "-s", "--status", to="status", value="STATUS", does="only these; repeat or use commas"
)
_PRIORITY = _list("-p", "--priority", to="priority", value="N", does="only these: 0 (urgent) to 4")
_KIND = _list("-t", "--type", to="type", value="TYPE", does="only these issue types")
_WHO = _text("-a", "--assignee", to="assignee", value="NAME", does="only theirs")
_NOBODY = _flag("-u", "--no-assignee", "--unassigned", to="unassigned", does="only nobody's")
_LABEL = _list("-l", "--label", "--labels", "--tag", "--tags", to="labels", value="LABEL",
               does="only with every one of these labels")  # fmt: skip
_ANY = _list(
    "--label-any", "--tag-any", to="labels_any", value="LABEL", does="only with one of these"
)
_PARENT = _text("--parent", to="parent", value="ID", does="only below this issue")
_LIMIT = _number("-n", "--limit", to="limit", value="N", does="at most so many; 0 for all")
_REASON = _text("-r", "--reason", "-m", "--message", to="reason", value="TEXT", does="why")
_FIELDS = (
    _text("-d", "--description", "--body", to="description", value="TEXT", does="more; - is stdin"),
    _text("-a", "--assignee", to="assignee", value="NAME", does='who works on it; "" for nobody'),
    _text("--design", to="design", value="TEXT", does="how it is to be done"),
    _text("--acceptance", "--acceptance-criteria", to="acceptance_criteria", value="TEXT",
          does="when it is done"),
    _text("--notes", to="notes", value="TEXT", does="anything else"),
    _text("--external-ref", to="external_ref", value="REF", does="its name elsewhere: gh-12"),
    _number("--estimate", to="estimated_minutes", value="MIN", does="how long it may take"),
    _text("--due", to="due_at", value="TIME", does="by when: 2026-01-31 or RFC 3339"),
    _text("--defer", to="defer_until", value="TIME", does="not before"),
)  # fmt: skip
_FILTERS = (_STATUS, _PRIORITY, _KIND, _LABEL, _ANY, _WHO, _NOBODY, _PARENT)
_EDGE = _text("-t", "--type", to="type", value="TYPE",
              does="blocks (default), related, parent-child or discovered-from")  # fmt: skip

COMMANDS: dict[str, Command] = {
    "init": Command(
        "make .beads/ here, or complete and restore it; safe to repeat",
        "",
        (0, 0),
        "admin:init",
        (
            _text("-p", "--prefix", to="prefix", value="NAME", does="what new ids start with"),
            _text("--ids", to="ids", value="hash|sequential", does="how new ids are made"),
        ),
        ("bd init", "bd init --prefix ops", "bd --db /tmp/sandbox.db init"),
    ),
    "create": Command(
        "open an issue",
        "TITLE",
        (0, 1),
        "writing:create",
        (
            _text(
                "-p", "--priority", to="priority", value="N", does="0 (urgent) to 4; 2 by default"
            ),
            _text(
                "-t",
                "--type",
                to="type",
                value="TYPE",
                does="task (default), bug, feature, epic, chore, incident, …",
            ),
            _list(
                "-l",
                "--label",
                "--labels",
                "--tag",
                "--tags",
                to="labels",
                value="LABEL",
                does="labels; repeat or use commas",
            ),
            *_FIELDS,
            _list("--deps", to="deps", value="TYPE:ID", does="what it depends on: blocks:ops-1"),
            _text("--parent", to="parent", value="ID", does="the issue it is a part of"),
            _text("--id", to="id", value="ID", does="an id of your own"),
            _text("--prefix", to="prefix", value="NAME", does="what the new id starts with"),
            _text("--title", to="title", value="TEXT", does="the title, if not an argument"),
            _flag("--silent", to="silent", does="print the id alone"),
            _flag("--dry-run", to="dry_run", does="show it, write nothing"),
            _flag("--force", "-f", to="force", does="accepted for old scripts"),
        ),
        (
            'bd create "Deploy 2025.10.16 to production" -p 1 -t task -l "ops,deployment" --json',
            'bd create "SEV1: API outage" -p 0 -t incident -l "incident,sev1"',
            'bd create "Retry uploads" --deps discovered-from:ops-k3f9a2x',
        ),
    ),
    "list": Command(
        "every issue that fits",
        "",
        (0, 0),
        "reading:list_issues",
        (
            *_FILTERS,
            _LIMIT,
            _text(
                "--title", "--title-contains", to="text", value="TEXT", does="only titles with this"
            ),
            _list("--id", to="ids", value="ID", does="only these"),
            _text("--updated-after", to="updated_after", value="TIME", does="only changed since"),
            _text(
                "--updated-before", to="updated_before", value="TIME", does="only untouched since"
            ),
            _text("--created-after", to="created_after", value="TIME", does="only newer"),
            _text("--created-before", to="created_before", value="TIME", does="only older"),
            _text(
                "--sort",
                to="sort",
                value="ORDER",
                does="priority (default), created, updated, oldest, title or id",
            ),
            _flag("--reverse", to="reverse", does="the other way round"),
            _flag("--ready", to="ready", does="only what bd ready would show"),
            _flag("--all", to="all", does="closed ones too, which is the default"),
            _text("--format", to="format", value="FORMAT", does="dot or mermaid: a picture"),
        ),
        (
            "bd list --status open",
            "bd list --status in_progress --tag ops --json",
            "bd list --ready --assignee ann",
        ),
    ),
    "ready": Command(
        "open work that nothing blocks: most urgent first, then oldest",
        "[ID...]",
        (0, None),
        "reading:ready",
        (
            *_FILTERS,
            _LIMIT,
            _text("--sort", to="sort", value="ORDER", does="priority (default), oldest or hybrid"),
            _flag("--explain", to="explain", does="say of every issue why it is ready or not"),
        ),
        (
            "bd ready --limit 10",
            "bd ready --status open --tag ops --json",
            "bd ready --explain ops-12",
        ),
    ),
    "explain": Command(
        "why an issue is not ready, in one sentence",
        "ID...",
        (1, None),
        "reading:explain_issues",
        (),
        ("bd explain ops-k3f9a2x",),
    ),
    "blocked": Command(
        "what cannot go on, and what it waits for",
        "",
        (0, 0),
        "reading:blocked",
        (*_FILTERS, _LIMIT),
        ("bd blocked --tag ops",),
    ),
    "show": Command(
        "everything about issues", "ID...", (1, None), "reading:show", (), ("bd show ops-k3f9a2x",)
    ),
    "search": Command(
        "issues with these words anywhere: title, description, comments",
        "WORDS...",
        (1, None),
        "reading:search",
        (*_FILTERS, _LIMIT),
        ('bd search "rate limit" --status open',),
    ),
    "count": Command("how many fit", "", (0, 0), "reading:count", _FILTERS, ("bd count -s open",)),
    "stale": Command(
        "unfinished issues nobody touched for long",
        "",
        (0, 0),
        "reading:stale",
        (
            _number("-d", "--days", to="days", value="N", does="for so many days; 30 by default"),
            _LIMIT,
        ),
        ("bd stale --days 14",),
    ),
    "duplicates": Command(
        "unfinished issues with the same title",
        "",
        (0, 0),
        "reading:duplicates",
        (),
        ("bd duplicates",),
    ),
    "stats": Command(
        "counts, from the same engine as ready",
        "",
        (0, 0),
        "reading:stats",
        (),
        ("bd stats --json",),
    ),
    "epic status": Command(
        "unfinished epics, with how many of their children are done",
        "",
        (0, 0),
        "reading:epic_status",
        (
            _flag(
                "--eligible-only", to="eligible_only", does="only those whose children are all done"
            ),
        ),
        ("bd epic status", "bd epic status --eligible-only --json"),
    ),
    "epic close-eligible": Command(
        "close every epic whose children are all done",
        "",
        (0, 0),
        "writing:epic_close",
        (_REASON, _flag("--dry-run", to="dry_run", does="only show which")),
        ("bd epic close-eligible --dry-run",),
    ),
    "history": Command(
        "who did what when, to an issue or to all",
        "[ID]",
        (0, 1),
        "reading:history",
        (_LIMIT,),
        ("bd history ops-k3f9a2x",),
    ),
    "update": Command(
        "change issues",
        "ID...",
        (1, None),
        "writing:update",
        (
            _text(
                "-s",
                "--status",
                to="status",
                value="STATUS",
                does="open, in_progress, blocked, deferred or closed",
            ),
            _text("-p", "--priority", to="priority", value="N", does="0 (urgent) to 4"),
            _text("--title", to="title", value="TEXT", does="a new title"),
            _text("-t", "--type", to="type", value="TYPE", does="another issue type"),
            *_FIELDS,
            _list(
                "-l",
                "--label",
                "--labels",
                "--tag",
                "--tags",
                "--add-label",
                to="labels",
                value="LABEL",
                does="add labels",
            ),
            _list(
                "--remove-label",
                "--untag",
                to="remove_labels",
                value="LABEL",
                does="take labels off",
            ),
            _list("--set-labels", to="set_labels", value="LABEL", does="exactly these labels"),
            _flag("--claim", to="claim", does="take it: assignee is you, status in_progress"),
        ),
        (
            'bd update ops-k3f9a2x --status in_progress --assignee "$ONCALL_EMAIL"',
            "bd update ops-k3f9a2x --tag warning",
        ),
    ),
    "close": Command(
        "close issues",
        "ID...",
        (1, None),
        "writing:close",
        (_REASON, _flag("--force", "-f", to="force", does="accepted for old scripts")),
        ('bd close ops-k3f9a2x --reason "Mitigated"',),
    ),
    "reopen": Command(
        "open closed issues again",
        "ID...",
        (1, None),
        "writing:reopen",
        (_REASON,),
        ('bd reopen ops-k3f9a2x --reason "It is back"',),
    ),
    "delete": Command(
        "take issues away; bd restore brings them back",
        "ID...",
        (1, None),
        "writing:delete",
        (_REASON, _flag("--force", "-f", to="force", does="even if others depend on them")),
        ('bd delete ops-k3f9a2x --reason "opened by mistake"', "bd restore ops-k3f9a2x"),
    ),
    "comment": Command(
        "say something on an issue; - reads stdin",
        "ID [TEXT...]",
        (1, None),
        "writing:comment",
        (
            _text("-f", "--file", to="file", value="FILE", does="read the text from a file"),
            _flag("--stdin", to="stdin", does="read the text from stdin"),
            _text("-a", "--author", to="author", value="NAME", does="whose words they are"),
        ),
        (
            'bd comment ops-k3f9a2x "CI build: https://ci.example.com/runs/123"',
            "journalctl -u api | tail | bd comment ops-k3f9a2x -",
        ),
    ),
    "comments": Command(
        "what was said on an issue",
        "ID",
        (1, 1),
        "reading:comments",
        (),
        ("bd comments ops-k3f9a2x",),
    ),
    "comments add": Command(
        "the same as bd comment",
        "ID [TEXT...]",
        (1, None),
        "writing:comment",
        (
            _text("-f", "--file", to="file", value="FILE", does="read the text from a file"),
            _flag("--stdin", to="stdin", does="read the text from stdin"),
            _text("-a", "--author", to="author", value="NAME", does="whose words they are"),
        ),
        ('bd comments add ops-k3f9a2x "Rolled back"',),
    ),
    "dep add": Command(
        "BLOCKED waits for BLOCKER; with parent-child, CHILD PARENT",
        "BLOCKED BLOCKER",
        (2, 2),
        "linking:add",
        (_EDGE,),
        (
            "bd dep add ops-2 ops-1 --type blocks",
            "bd dep add ops-child ops-parent --type parent-child",
        ),
    ),
    "dep remove": Command(
        "take a dependency away",
        "BLOCKED BLOCKER",
        (2, 2),
        "linking:remove",
        (
            _text(
                "-t",
                "--type",
                to="type",
                value="TYPE",
                does="only this one; all between the two by default",
            ),
        ),
        ("bd dep remove ops-2 ops-1",),
    ),
    "dep tree": Command(
        "what it waits for, and what hangs on it",
        "ID",
        (1, 1),
        "linking:tree",
        (
            _number(
                "-d", "--max-depth", to="max_depth", value="N", does="how deep; 0 (default) for all"
            ),
            _text("--direction", to="direction", value="WAY", does="down, up or both"),
            _flag("--reverse", to="reverse", does="the same as --direction up"),
            _text("--format", to="format", value="FORMAT", does="dot or mermaid: a picture"),
        ),
        ("bd dep tree ops-k3f9a2x", "bd dep tree ops-k3f9a2x --format mermaid"),
    ),
    "dep cycles": Command(
        "issues that wait for each other", "", (0, 0), "linking:cycles", (), ("bd dep cycles",)
    ),
    "label add": Command(
        "put labels on: last the labels, or one id and many labels",
        "ID... LABEL",
        (2, None),
        "writing:label_add",
        (),
        ("bd label add ops-k3f9a2x sev1",),
    ),
    "label remove": Command(
        "take a label off",
        "ID... LABEL",
        (2, None),
        "writing:label_remove",
        (),
        ("bd label remove ops-k3f9a2x sev1",),
    ),
    "label list": Command(
        "the labels of an issue",
        "ID",
        (1, 1),
        "reading:label_list",
        (),
        ("bd label list ops-k3f9a2x",),
    ),
    "label list-all": Command(
        "every label in use, with counts",
        "",
        (0, 0),
        "reading:label_list_all",
        (),
        ("bd label list-all",),
    ),
    "tag": Command(
        "put one label on",
        "ID LABEL",
        (2, 2),
        "writing:label_add",
        (),
        ("bd tag ops-k3f9a2x sev1",),
    ),
    "export": Command(
        "the issues as lines, as they are stored",
        "",
        (0, 0),
        "admin:export",
        (
            _text(
                "-o", "--output", to="output", value="FILE", does="into a file, whole or not at all"
            ),
            _flag(
                "--compat", to="compat", does="so that any release of the original tool imports it"
            ),
            *_FILTERS,
        ),
        ("bd export -o backup.jsonl", "bd export --compat > for-bd.jsonl"),
    ),
    "import": Command(
        "take lines in: new issues, and newer versions of known ones",
        "[FILE]",
        (0, 1),
        "admin:import_",
        (
            _text("-i", "--input", to="input", value="FILE", does="the lines; stdin by default"),
            _flag("--dry-run", to="dry_run", does="count, write nothing"),
            _flag("-s", "--skip-existing", to="skip_existing", does="leave known issues alone"),
            _flag(
                "--force", "--resolve-collisions", to="force", does="the import wins, newer or not"
            ),
        ),
        ("bd import -i backup.jsonl", "bd export | bd --db /tmp/sandbox.db import"),
    ),
    "doctor": Command(
        "check everything; --fix repairs, from git where needed",
        "",
        (0, 0),
        "admin:doctor",
        (_flag("--fix", to="fix", does="put right what can be; a damaged file is kept beside"),),
        ("bd doctor", "bd doctor --fix"),
    ),
    "restore": Command(
        "bring issues back that were deleted or lost, or the whole file from git",
        "[ID...]",
        (0, None),
        "admin:restore",
        (
            _text(
                "--from",
                to="revision",
                value="REV",
                does="a commit; the newest that has it by default",
            ),
        ),
        ("bd restore ops-k3f9a2x", "bd restore --from HEAD~1"),
    ),
    "merge": Command(
        "merge three files field by field (git calls this)",
        "OUT BASE OURS THEIRS",
        (4, 4),
        "admin:merge",
        (),
        ("bd merge out.jsonl base.jsonl ours.jsonl theirs.jsonl",),
    ),
    "info": Command(
        "where the issues are, and how many", "", (0, 0), "admin:info", (), ("bd info",)
    ),
    "config get": Command(
        "a setting", "KEY", (1, 1), "admin:config_get", (), ("bd config get prefix",)
    ),
    "config set": Command(
        "change a setting: prefix, ids, types",
        "KEY VALUE",
        (2, 2),
        "admin:config_set",
        (),
        ("bd config set types runbook,change",),
    ),
    "config unset": Command(
        "take a setting away", "KEY", (1, 1), "admin:config_unset", (), ("bd config unset types",)
    ),
    "config list": Command(
        "every setting", "", (0, 0), "admin:config_list", (), ("bd config list",)
    ),
    "completion": Command(
        "the completion script for a shell",
        "bash|zsh|fish",
        (1, None),
        "completing:completion",
        (),
        (
            "source <(bd completion bash)",
            "source <(bd completion zsh)",
            "bd completion fish > ~/.config/fish/completions/bd.fish",
        ),
    ),
    "version": Command("which bd this is", "", (0, 0), "admin:version", (), ("bd version",)),
    "help": Command(
        "about bd, or about one command",
        "[COMMAND]",
        (0, 2),
        "shell:help_",
        (),
        ("bd help create",),
    ),
}

ALIASES = {
    "new": "create", "add": "create", "ls": "list", "view": "show", "done": "close",
    "status": "stats", "why": "explain", "log": "history", "dep rm": "dep remove",
    "dep list": "dep tree", "dep cycle": "dep cycles", "label rm": "label remove",
    "link": "dep add",
    "comments list": "comments", "label ls": "label list", "edit": "update",
}  # fmt: skip
GROUPS = frozenset(name.partition(" ")[0] for name in COMMANDS if " " in name)
