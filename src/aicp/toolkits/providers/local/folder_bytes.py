"""The bytes that a call writes into a connected folder, the same ones each time they are asked for."""

from __future__ import annotations

import os
import re
import zipfile
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import IO, cast

from aicp.toolkits.model import Call, Json
from aicp.toolkits.providers.base import ProviderError
from aicp.toolkits.providers.local.changes import shown
from aicp.toolkits.providers.local.folder import Folder, parts_of
from aicp.toolkits.providers.local.trash import CHUNK

MOST_REDACTED = 16 << 20
MOST_ARCHIVED = 256 << 20


def new_bytes(folder: Folder, call: Call) -> Iterator[bytes]:
    """The bytes that a call writes; the same ones each time it is asked."""
    if call.tool == "files.write":
        yield given(call.args)
    elif call.tool == "files.redact":
        yield redacted(folder, call.args)
    else:
        yield from zipped(folder, call.args["paths"])


def given(args: Json) -> bytes:
    if ("text" in args) is ("base64" in args):
        raise ProviderError("files.write needs the bytes once", hint="give either text or base64")
    try:
        return args["text"].encode() if "text" in args else b64decode(args["base64"], validate=True)
    except NotBase64 as error:
        raise ProviderError(f"the bytes to write are not well-formed: {error}") from None


def redacted(folder: Folder, args: Json) -> bytes:
    """The file without the strings, in one pass, the longest first."""
    path, by = args["path"], args.get("by", "[redacted]")
    with folder.reading(path) as (source, _):
        data = source.read(MOST_REDACTED + 1)
    if len(data) > MOST_REDACTED:
        raise ProviderError(f"{shown(path)} is larger than 16 MiB", hint="split it first")
    try:
        text = data.decode()
        words = sorted({word.encode() for word in args["strings"]}, key=len, reverse=True)
        made = re.sub(b"|".join(map(re.escape, words)), lambda _: by.encode(), data)
    except UnicodeError:
        raise ProviderError(
            f"{shown(path)} is not UTF-8 text, so its strings cannot be found for certain",
            hint="convert it first",
        ) from None
    if made == data:
        raise ProviderError(
            f"{shown(path)} holds none of the strings", hint="nothing is to be done"
        )
    if "\0" in text or any(word in made for word in words):
        raise ProviderError(
            f"{shown(path)} would still hold one of the strings, or is no text",
            hint="choose another replacement",
        )
    return made


class _Pipe:
    """What a zip is written to: the bytes since the last look."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits anywhere else."""

    def taken(self) -> bytes:
        data, self._parts = b"".join(self._parts), []
        return data


def zipped(folder: Folder, paths: Sequence[str]) -> Iterator[bytes]:
    """The bytes of a zip of these files and of all files below these folders, always the same."""
    files = sorted({file for one in paths for file in _files_at(folder, one)})
    if not files:
        raise ProviderError(
            f"there is no file in {shown(paths[0])}", hint="name what is to be packed"
        )
    pipe, left = _Pipe(), MOST_ARCHIVED
    with zipfile.ZipFile(cast("IO[bytes]", pipe), "w", zipfile.ZIP_DEFLATED) as packed:
        for path in files:
            with folder.reading(path) as (source, seen):
                left -= seen.st_size
                if left < 0:
                    raise ProviderError("the files hold more than 256 MiB", hint="pack fewer")
                with packed.open(_member(path, seen), "w") as member:
                    while chunk := source.read(CHUNK):
                        member.write(chunk)
                        yield pipe.taken()
    yield pipe.taken()


def _files_at(folder: Folder, path: str) -> Iterator[str]:
    parts_of(path)
    state = folder.look(path)
    if state is None:
        raise ProviderError(f"there is nothing at {shown(path)}", hint="list the folder first")
    if state["kind"] == "file":
        yield path
        return
    if state["kind"] != "folder":
        raise _unpackable(path, state["kind"])
    for seen in folder.walk(path):
        if seen.kind in ("link", "special"):
            raise _unpackable(seen.path, seen.kind)
        if seen.kind == "file":
            yield "/".join(parts_of(seen.path))  # refuses a name that is no text


def _unpackable(path: str, kind: str) -> ProviderError:
    return ProviderError(
        f"{shown(path)} is a {kind}, which is not packed", hint="name the files themselves"
    )


def _member(path: str, seen: os.stat_result) -> zipfile.ZipInfo:
    moment = datetime.fromtimestamp(min(max(seen.st_mtime, 315_532_800), 4_354_819_198), UTC)
    made = zipfile.ZipInfo(path, moment.timetuple()[:6])
    made.create_system, made.external_attr = 3, seen.st_mode << 16  # unix, with its mode
    made.compress_type = zipfile.ZIP_DEFLATED
    return made
