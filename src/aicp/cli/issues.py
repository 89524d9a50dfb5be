"""issues: the installation's issue graph from any machine that reaches the server; `bd` is the same on disk."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import click

from aicp.cli.edge import Here, Verbs, json_option, lines, look, pass_here, put, say, suggest
from aicp.cli.render import Look, bold, clean, dim, fields, table, tint, wrap

PATH = "/api/issues"
HEAD = ("ID", "PRIO", "STATUS", "TYPE", "LABELS", "TITLE")
Doc = dict[str, Any]


@click.group(cls=Verbs)
def issues() -> None:
    """The issue graph, as `bd` has it: what to do next, and what waits for what.

    \b
    Examples:
      aicp issues ready
      aicp issues create "API outage" -p 0 -t incident -l sev1
      aicp issues dep add ops-12 ops-9
      aicp issues close ops-9 --reason "the pool is bounded"
    """


def filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that narrow a list, named as in `bd`."""
    for option in (
        click.option("--limit", type=click.IntRange(0), default=0, help="At most so many; 0 is all."),
        click.option("-p", "--priority", default="", help="0 (most urgent) to 4; 0,1 takes both."),
        click.option("-l", "--label", "--tag", "labels", multiple=True, help="May be repeated: all must be there."),
        click.option("--status", default="", help="open, in_progress, closed … or all."),
    ):  # fmt: skip
        command = option(command)
    return command


@issues.command("list")
@filters
@json_option
@pass_here
def list_(
    here: Here, status: str, labels: tuple[str, ...], priority: str, limit: int, as_json: bool
) -> None:
    """Issues, most urgent and newest first.

    \b
    Examples:
      aicp issues list --status open
      aicp issues list --tag ops -p 0,1 --json
    """
    asked = {"status": status or None, "label": list(labels), "priority": priority or None}
    rows = here.client().get(PATH, **asked, limit=limit)
    _put(rows, as_json, "no issue fits")


@issues.command()
@filters
@json_option
@pass_here
def ready(
    here: Here, status: str, labels: tuple[str, ...], priority: str, limit: int, as_json: bool
) -> None:
    """What can be worked on now, in the order to do it: the order of `bd ready`.

    \b
    Examples:
      aicp issues ready --limit 5
      aicp issues ready --tag ops --json
    """
    asked = {"status": status or None, "label": list(labels), "priority": priority or None}
    rows = here.client().get(f"{PATH}/ready", **asked, limit=limit)
    _put(rows, as_json, "nothing is ready: everything open waits, `aicp issues show ID` says why")
    if rows and not as_json:
        suggest(here, f"aicp issues show {rows[0]['id']}")


@issues.command()
@click.argument("issue_id", metavar="ID")
@json_option
@pass_here
def show(here: Here, issue_id: str, as_json: bool) -> None:
    """One issue: whether it can go on and why not, its comments and what hangs on it.

    \b
    Examples:
      aicp issues show ops-12
      aicp issues show ops-12 --json
    """
    told = here.client().get(path_of(issue_id))
    put(told) if as_json else lines(sheet(told, look()))


@issues.command()
@click.argument("title")
@click.option(
    "-t", "--type", "kind", default="task", show_default=True, help="task, bug, incident …"
)
@click.option(
    "-p",
    "--priority",
    type=click.IntRange(0, 4),
    default=2,
    show_default=True,
    help="0 is the most urgent.",
)
@click.option("-l", "--label", "--tag", "labels", multiple=True, help="May be repeated, or a,b.")
@click.option("-d", "--description", default="", help="What a reader has to know.")
@json_option
@pass_here
def create(
    here: Here, title: str, kind: str, priority: int, labels: tuple[str, ...], description: str,
    as_json: bool,
) -> None:  # fmt: skip
    """Open an issue.

    \b
    Examples:
      aicp issues create "API outage" -p 0 -t incident -l incident,sev1
      aicp issues create "Rotate the keys" --json
    """
    body = {
        "title": title, "type": kind, "priority": priority, "labels": list(labels),
        "description": description,
    }  # fmt: skip
    made = here.client().post(PATH, body)
    put(made) if as_json else click.echo(f"created {made['id']}: {clean(made['title'])}")


@issues.command()
@click.argument("issue_id", metavar="ID")
@click.option("--title", help="Its new title.")
@click.option("--status", help="open, in_progress, deferred …")
@click.option("-p", "--priority", type=click.IntRange(0, 4), help="0 is the most urgent.")
@click.option("--assignee", help='Who does it; "" for nobody.')
@click.option("-l", "--label", "--tag", "add", multiple=True, help="Put a label on.")
@click.option("--remove-label", "remove", multiple=True, help="Take a label off.")
@json_option
@pass_here
def update(
    here: Here, issue_id: str, title: str | None, status: str | None, priority: int | None,
    assignee: str | None, add: tuple[str, ...], remove: tuple[str, ...], as_json: bool,
) -> None:  # fmt: skip
    """Change an issue.

    \b
    Examples:
      aicp issues update ops-12 --status in_progress --assignee ann@home.example
      aicp issues update ops-12 -p 0 -l sev1
    """
    body = {
        "title": title, "status": status, "priority": priority, "assignee": assignee,
        "add_labels": list(add), "remove_labels": list(remove),
    }  # fmt: skip
    _said(here.client().post(f"{path_of(issue_id)}/update", body), as_json, "updated")


@issues.command()
@click.argument("issue_id", metavar="ID")
@click.argument("text")
@json_option
@pass_here
def comment(here: Here, issue_id: str, text: str, as_json: bool) -> None:
    """Say something on an issue; `-` takes the text from standard input.

    \b
    Examples:
      aicp issues comment ops-12 "EU tenants only"
      uname -a | aicp issues comment ops-12 -
    """
    words = sys.stdin.read() if text == "-" else text
    said = here.client().post(f"{path_of(issue_id)}/comments", {"text": words.rstrip("\n")})
    put(said) if as_json else click.echo(f"commented on {said['issue_id']}")


@issues.command()
@click.argument("issue_id", metavar="ID")
@click.option("--reason", required=True, help="What was done about it.")
@json_option
@pass_here
def close(here: Here, issue_id: str, reason: str, as_json: bool) -> None:
    """Close an issue, and say why.

    \b
    Example:
      aicp issues close ops-12 --reason "rolled back, error rate is normal"
    """
    _said(here.client().post(f"{path_of(issue_id)}/close", {"reason": reason}), as_json, "closed")


@click.group(cls=Verbs)
def dep() -> None:
    """What waits for what.

    \b
    Examples:
      aicp issues dep add ops-12 ops-9
      aicp issues dep tree ops-12
    """


@dep.command("add")
@click.argument("issue_id", metavar="ID")
@click.argument("on", metavar="NEEDS")
@click.option(
    "-t",
    "--type",
    "kind",
    default="blocks",
    show_default=True,
    help="blocks, parent-child, related …",
)
@json_option
@pass_here
def dep_add(here: Here, issue_id: str, on: str, kind: str, as_json: bool) -> None:
    """ID needs NEEDS; for parent-child name the child first. A ring is refused and named.

    \b
    Examples:
      aicp issues dep add ops-12 ops-9
      aicp issues dep add ops-12 ops-1 --type parent-child
    """
    link = here.client().post(f"{path_of(issue_id)}/dependencies", {"on": on, "type": kind})
    if as_json:
        put(link)
        return
    already = " already" if link["status"] == "present" else ""
    click.echo(f"{link['issue_id']} depends{already} on {link['depends_on_id']} ({link['type']})")


@dep.command()
@click.argument("issue_id", metavar="ID")
@json_option
@pass_here
def tree(here: Here, issue_id: str, as_json: bool) -> None:
    """What an issue needs, and what needs it.

    \b
    Examples:
      aicp issues dep tree ops-12
      aicp issues dep tree ops-12 --json
    """
    told = here.client().get(path_of(issue_id))
    put(told["tree"]) if as_json else lines(told["tree_text"])


issues.add_command(dep)


def path_of(issue_id: str) -> str:
    """The API path of an issue, whatever its id is made of."""
    return f"{PATH}/{quote(issue_id, safe='')}"


def sheet(told: Doc, how: Look) -> Iterator[str]:
    """An issue for a person."""
    issue = told["issue"]
    yield bold(f"{clean(issue['id'])}  {clean(issue['title'])}")
    yield from fields([
        ("status", issue["status"]), ("priority", f"P{issue['priority']}"),
        ("type", issue["issue_type"]), ("labels", " ".join(issue["labels"])),
        ("assignee", issue.get("assignee")), ("closed because", issue.get("close_reason")),
        ("opened", f"{issue.get('created_at', '')} {issue.get('created_by', '')}"),
    ], how)  # fmt: skip
    yield from wrap(told["why"], how, indent=2)
    if issue["description"]:
        yield from ("", *wrap(issue["description"], how, indent=2))
    for said in issue["comments"]:
        yield from ("", dim(f"  {clean(said.get('author'))} {clean(said.get('created_at'))}"))
        yield from wrap(said.get("text"), how, indent=2)
    if len(told["tree"]) > 1:
        yield from ("", *(f"  {line}" for line in told["tree_text"]))


def _put(rows: list[Doc], as_json: bool, nothing: str) -> None:
    if as_json:
        put(rows)
    elif not rows:
        say(nothing)
    else:
        told = [
            (r["id"], f"P{r['priority']}", r["status"], r["issue_type"], " ".join(r["labels"]), r["title"])
            for r in rows
        ]  # fmt: skip
        lines(table(told, HEAD, look(), paint={2: tint}))


def _said(issue: Doc, as_json: bool, verb: str) -> None:
    put(issue) if as_json else click.echo(f"{verb} {issue['id']}: {clean(issue['title'])}")
