"""audit: who decided and changed what, exported and verified without the database (OP-1, OP-5)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from aicp.cli.edge import (
    Here,
    Verbs,
    json_option,
    lines,
    look,
    pass_here,
    put,
    say,
    suggest,
    utc_option,
)
from aicp.cli.render import Look, clean, table, when
from aicp.errors import BadInput

Doc = dict[str, Any]
folder_type = click.Path(file_okay=False, path_type=Path)


@click.group(cls=Verbs)
def audit() -> None:
    """The audit trail: hash chains of decisions and changes, under signed seals.

    \b
    Examples:
      aicp audit show m-7k3
      aicp audit export -o /mnt/audit && aicp audit verify /mnt/audit
    """


@audit.command()
@click.argument("mission", required=False)
@utc_option
@json_option
@pass_here
def show(here: Here, mission: str | None, utc: bool, as_json: bool) -> None:
    """What was decided and changed, in order; of one mission when it is named.

    \b
    Examples:
      aicp audit show
      aicp audit show m-7k3 --utc
    """
    told = _ask(here, mission or "")
    if as_json:
        put(
            [
                json.loads(one["entry"]) | {"seq": one["seq"], "hash": one["hash"]}
                for one in told["entries"]
            ]
        )
        return
    lines(_shown(told["entries"], look(utc=utc)))


def _shown(entries: list[Doc], how: Look) -> Iterator[str]:
    rows = []
    for one in entries:
        said = json.loads(one["entry"])
        about = ", ".join(f"{k} {v}" for k, v in said["context"].items() if not isinstance(v, dict | list))  # fmt: skip
        who = said["agent"] or said["person"][:8]
        rows.append(
            (when(said["at"], how), one["subject"], one["seq"], said["event"], who, clean(about))
        )
    yield from table(rows, ("at", "chain", "no", "what", "who", "with"), how)


@audit.command()
@click.option(
    "-o", "--output", "folder", required=True, type=folder_type, help="A new or empty folder."
)
@pass_here
def export(here: Here, folder: Path) -> None:
    """Write every record, the seals and the public key into a folder.

    \b
    Examples:
      aicp audit export -o audit-2026-11
    """
    told = _ask(here, "")
    if folder.exists() and any(folder.iterdir()):
        raise BadInput(f"{folder} is not empty", hint="name a new folder")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _lines(folder / "records.jsonl", told["entries"])
    _lines(folder / "seals.jsonl", told["seals"])
    (folder / "tenant.txt").write_text(told["tenant_id"] + "\n", encoding="ascii")
    (folder / "audit.pub").write_text(told["key"] + "\n", encoding="ascii")
    say(f"{len(told['entries'])} records and {len(told['seals'])} seals in {folder}")
    suggest(here, f"aicp audit verify {folder}")


def _lines(path: Path, rows: list[Doc]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@audit.command()
@click.argument("folder", required=False, type=folder_type)
@click.option("--key", "key_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="The public key you kept elsewhere (default: the one in the export).")  # fmt: skip
@json_option
@pass_here
def verify(here: Here, folder: Path | None, key_file: Path | None, as_json: bool) -> int:
    """Hash every record again and hold the chains to the seals. Exit 1 names the first bad record.

    With a FOLDER nothing else is needed: no database, no server. Without one the running system is asked.

    \b
    Examples:
      aicp audit verify
      aicp audit verify audit-2026-11 --key audit.pub
    """
    from aicp.telemetry.trail import chain, seals

    told = _read(folder) if folder else _ask(here, "")
    key = _text(key_file) if key_file else told["key"]
    entries = [chain.Entry(**one) for one in told["entries"]]
    sealed = [seals.Seal(**one) for one in told["seals"]]
    found = chain.faults(entries) + seals.faults(sealed, key, told["tenant_id"], entries)
    foreign = {one.tenant_id for one in entries} - {told["tenant_id"]}
    found += [chain.Fault(one, 0, "is another tenant's") for one in sorted(foreign)]
    if as_json:
        put({"records": len(entries), "seals": len(sealed),
             "faults": [{"chain": f.subject, "seq": f.seq, "why": f.why} for f in found]})  # fmt: skip
    else:
        for fault in found:
            click.echo(f"{clean(fault.subject)} {fault.seq} {fault.why}")
        well = (
            "every one as it was written"
            if not found
            else f"{len(found)} chains are not as written"
        )
        say(f"{len(entries)} records under {len(sealed)} seals, {well}")
    return 1 if found else 0


@audit.command()
@pass_here
def seal(here: Here) -> None:
    """Seal what was recorded since the last seal, which workers do every hour.

    \b
    Examples:
      aicp audit seal
    """
    chains = here.client().post("/api/audit/seals")["chains"]
    say(f"sealed {chains} chains" if chains else "nothing was recorded since the last seal")


def _ask(here: Here, mission: str) -> Doc:
    """Every page of the trail as one."""
    client = here.client()
    told = client.get("/api/audit", mission=mission)
    following = told.pop("next")
    while following:
        page = client.get("/api/audit", mission=mission, **following)
        told["entries"] += page["entries"]
        following = page["next"]
    return told


def _read(folder: Path) -> Doc:
    """An export.

    Raises:
        BadInput: a file is missing or is none of ours.
    """
    try:
        rows = {
            name: [json.loads(row) for row in _text(folder / f"{name}.jsonl").splitlines()]
            for name in ("records", "seals")
        }
        names = {"tenant_id", "subject", "seq", "entry", "hash"}
        if any(row.keys() != names for row in rows["records"]):
            raise ValueError("a record has other fields")  # noqa: TRY301  said by the handler below
    except (ValueError, AttributeError) as error:
        raise BadInput(
            f"{folder} is no export of the audit trail ({error})",
            hint="make one: aicp audit export -o FOLDER",
        ) from None
    return {
        "entries": rows["records"], "seals": rows["seals"],
        "tenant_id": _text(folder / "tenant.txt"), "key": _text(folder / "audit.pub"),
    }  # fmt: skip


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise BadInput(
            f"{path} cannot be read ({error.strerror})",
            hint="make an export: aicp audit export -o FOLDER",
        ) from None
