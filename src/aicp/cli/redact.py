"""redact: secrets and personal data out of JSON lines, in one pass and flat memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import click
import orjson

from aicp.cli.edge import Here, pass_here, say
from aicp.errors import BadInput
from aicp.settings import from_env
from aicp.telemetry import redaction
from aicp.telemetry.catalogue import declare

LONGEST = 16 << 20  # bytes of one line; a longer one is read past, never held
MOST_NAMED = 20  # bad lines that are named one by one


@click.command()
@click.argument("files", metavar="[FILE]...", nargs=-1)
@click.option("--explain", is_flag=True, help="Print findings instead: line, pointer, offsets, kind; never the text.")  # fmt: skip
@click.option("--tenant", default="", metavar="ID", help="Whose they are (default: each record's tenantId).")  # fmt: skip
@click.option("--region", "regions", multiple=True, metavar="CC", help="Country whose numbers have no prefix; may be repeated.")  # fmt: skip
@click.option("--content", is_flag=True, help="Keep free text of models and tools, redacted.")
@pass_here
def redact(
    here: Here, files: tuple[str, ...], explain: bool, tenant: str, regions: tuple[str, ...], content: bool,
) -> int:  # fmt: skip
    """Redact JSON lines from files, or from standard input (-), to standard output.

    A line that is no JSON is left out and named with its number; then the exit code is 2. Markers can be
    joined across runs when the installation has a key (AICP_REDACTION_KEY, or redaction.key in the data folder).

    \b
    Examples:
      aicp redact app.jsonl > clean.jsonl
      kubectl logs api | aicp redact - --region DE
      aicp redact app.jsonl --explain
    """
    _configure(here)
    own = redaction.Context(tenant, tuple(code.upper() for code in regions), content or None)
    bad = 0
    out = sys.stdout.buffer
    for name, number, line in _lines(files or ("-",)):
        record = _parsed(line)
        if record is _NOTHING:
            bad += 1
            if bad <= MOST_NAMED:
                say(
                    f"aicp: {name}, line {number} is no JSON{' of at most 16 MiB' if line is None else ''}; it is left out"
                )
            continue
        context = own if tenant or regions or content else None
        for answer in _answers(record, context, number, explain=explain):
            out.write(orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE))
    out.flush()
    if bad:
        raise BadInput(
            f"{bad} {'line is' if bad == 1 else 'lines are'} no JSON, and left out",
            hint="each line holds one JSON value; look at the lines named above",
        )
    return 0


def _configure(here: Here) -> None:
    """The installation's key where there is one; a command that only reads makes none."""
    from aicp.kernel.vault import key_from

    settings = from_env()
    file = here.data_dir / "redaction.key"
    known = bool(settings.redaction_key) or file.exists()
    key = key_from(settings.redaction_key, file, name="AICP_REDACTION_KEY") if known else b""
    declare()
    redaction.configure(key=key, regions=settings.regions, content=settings.keeps_content)


_NOTHING: Any = object()


def _parsed(line: bytes | None) -> Any:
    if line is None:
        return _NOTHING
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return _NOTHING


def _answers(
    record: Any, context: redaction.Context | None, number: int, *, explain: bool
) -> Iterator[Any]:
    if not explain:
        yield redaction.redact(record, context)
        return
    for found in redaction.explain(record, context):
        yield {"line": number, **found._asdict()}


def _lines(files: tuple[str, ...]) -> Iterator[tuple[str, int, bytes | None]]:
    """Name, number and bytes of every line that is not blank; None for one that is too long.

    Raises:
        BadInput: a file cannot be read.
    """
    for name in files:
        if name == "-":
            yield from _numbered("standard input", sys.stdin.buffer)
            continue
        try:
            with Path(name).open("rb") as file:
                yield from _numbered(name, file)
        except OSError as error:
            raise BadInput(
                f"{name} cannot be read ({error.strerror})",
                hint="name a file of JSON lines, or - for standard input",
            ) from None


def _numbered(name: str, file: IO[bytes]) -> Iterator[tuple[str, int, bytes | None]]:
    number = 0
    while line := file.readline(LONGEST):
        number += 1
        whole = line.endswith(b"\n") or len(line) < LONGEST
        if whole and not line.strip():
            continue
        yield name, number, line if whole else None
        while not whole:
            rest = file.readline(LONGEST)
            whole = not rest or rest.endswith(b"\n") or len(rest) < LONGEST
