"""What each changing tool of a connected folder makes of which paths, found without an effect."""

from __future__ import annotations

import os
import re
import stat
import tempfile
import zipfile
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, cast

from aicp.toolkits.model import Call, Json
from aicp.toolkits.providers.base import ProviderError
from aicp.toolkits.providers.local.changes import Place, State, shown
from aicp.toolkits.providers.local.files import unreadable
from aicp.toolkits.providers.local.folder import Folder, parts_of
from aicp.toolkits.providers.local.folder_reads import measure
from aicp.toolkits.providers.local.trash import CHUNK

MOST_REDACTED = 16 << 20
MOST_ARCHIVED = 256 << 20
MOST_KEPT = 256 << 20  # bytes of a file that is replaced or deleted: they are copied to the trash
# attributes that carry rights or words of their own, which a file put back would lack
_OWN = ("user.", "trusted.", "system.posix_acl", "security.capability")


def plan(folder: Folder, call: Call, work_dir: Path) -> tuple[Place, ...]:
    """The places of a call with their states before and after it.

    Raises:
        ProviderError: the call cannot apply, or could not be taken back exactly.
    """
    return _PLANS[call.tool](folder, call.args, work_dir)


def new_bytes(folder: Folder, call: Call) -> Iterator[bytes]:
    """The bytes that a call writes; the same ones each time it is asked."""
    if call.tool == "files.write":
        yield _given(call.args)
    elif call.tool == "files.redact":
        yield _redacted(folder, call.args)
    else:
        yield from zipped(folder, call.args["paths"])


def _write(folder: Folder, args: Json, work_dir: Path) -> tuple[Place, ...]:
    path, data = args["path"], _given(args)
    was = _replaceable(folder, path)
    if was is not None and was["sha256"] == sha256(data).hexdigest():
        raise ProviderError(f"{shown(path)} holds exactly these bytes already")
    return (_filled(folder, path, was, (data,), work_dir),)


def _redact(folder: Folder, args: Json, work_dir: Path) -> tuple[Place, ...]:
    path = args["path"]
    was = _replaceable(folder, path) or _missing(path)
    return (_filled(folder, path, was, (_redacted(folder, args),), work_dir),)


def _archive(folder: Folder, args: Json, work_dir: Path) -> tuple[Place, ...]:
    to = args["to"]
    _refuse_taken(folder, to)
    return (_filled(folder, to, None, zipped(folder, args["paths"]), work_dir),)


def _delete(folder: Folder, args: Json, _work_dir: Path) -> tuple[Place, ...]:
    path = args["path"]
    was = _replaceable(folder, path) or _missing(path)
    return (Place(path, was, None, {"owner": _owner(folder, path)}),)


def _mode(folder: Folder, args: Json, _work_dir: Path) -> tuple[Place, ...]:
    path = args["path"]
    was = _replaceable(folder, path) or _missing(path)
    if was["mode"] == args["mode"]:
        raise ProviderError(f"{shown(path)} has the mode {args['mode']} already")
    return (Place(path, was, was | {"mode": args["mode"]}, {}),)


def _folder(folder: Folder, args: Json, _work_dir: Path) -> tuple[Place, ...]:
    path = args["path"]
    _refuse_taken(folder, path)
    with folder.at(path) as (handle, _):
        inherited = os.fstat(handle).st_mode & stat.S_ISGID
    mode, empty = f"{_usual(0o777) | inherited:04o}", sha256().hexdigest()
    becomes = {"kind": "folder", "mode": mode, "holds": empty, "modified": empty}
    return (Place(path, None, becomes, {}),)


def _move(folder: Folder, args: Json, _work_dir: Path) -> tuple[Place, ...]:
    path, to = args["path"], args["to"]
    _ours(path)
    if to == path or to.startswith(f"{path}/"):
        raise ProviderError(f"{shown(path)} cannot be moved into itself", hint="name another place")
    _refuse_taken(folder, to)
    was = folder.look(path) or _missing(path)
    if was["kind"] == "folder" and measure(folder, path)["special"]:
        raise ProviderError(f"{shown(path)} holds a pipe, socket or device, so it stays")
    if was["kind"] not in ("file", "folder"):
        raise ProviderError(f"{shown(path)} is a {was['kind']} and stays as it is")
    return (Place(path, was, None, {}), Place(to, None, was, {}))


_PLANS: dict[str, Callable[[Folder, Json, Path], tuple[Place, ...]]] = {
    "files.write": _write,
    "files.redact": _redact,
    "files.archive": _archive,
    "files.delete": _delete,
    "files.mode": _mode,
    "files.folder": _folder,
    "files.move": _move,
}


def _filled(
    folder: Folder, path: str, was: State, data: Sequence[bytes] | Iterator[bytes], work_dir: Path
) -> Place:  # fmt: skip
    """A file that will hold these bytes; its time is that of this look, its mode that of the old."""
    total, size = sha256(), 0
    for chunk in data:
        total.update(chunk)
        size += len(chunk)
    mode = was["mode"] if was else f"{_usual(0o666):04o}"
    becomes = {
        "kind": "file",
        "sha256": total.hexdigest(),
        "size": size,
        "mode": mode,
        "modified": _disk_time(work_dir),
    }
    return Place(path, was, becomes, {"owner": _owner(folder, path)} if was else {})


def _replaceable(folder: Folder, path: str) -> State:
    """The state of a file that may be replaced or deleted; None when there is none.

    Raises:
        ProviderError: it is no regular file, or an undo could not bring it back exactly.
    """
    _ours(path)
    state = folder.look(path)
    if state is None:
        _refuse_taken(folder, path)
        return None
    with folder.reading(path) as (source, seen):
        own = [n for n in _attributes(source.fileno()) if n.startswith(_OWN)]
    if seen.st_nlink > 1:
        why = "has another name elsewhere (a hard link)"
    elif own:
        why = f"carries {shown(own[0])}, an attribute that would be lost"
    elif seen.st_size > MOST_KEPT:
        why = "is larger than 256 MiB"
    else:
        return state
    raise ProviderError(
        f"{shown(path)} {why}, so this could not be taken back exactly",
        hint="move it instead, or change it by hand",
    )


def _attributes(handle: int) -> list[str]:
    try:
        return os.listxattr(handle) if hasattr(os, "listxattr") else []
    except OSError:  # the file system has none
        return []


def _refuse_taken(folder: Folder, path: str) -> None:
    """A new name must be free, printable, and lie in a folder that is there."""
    _ours(path)
    if not path.isprintable():
        raise ProviderError(
            f"{shown(path)} holds characters that cannot be seen", hint="choose a plain name"
        )
    try:
        with folder.at(path) as (handle, name):
            os.stat(name, dir_fd=handle, follow_symlinks=False)
    except FileNotFoundError:
        _require_folder(folder, path)
        return
    except OSError as error:
        raise folder.failed(path, error) from None
    raise ProviderError(f"{shown(path)} is there already", hint="choose another name")


def _require_folder(folder: Folder, path: str) -> None:
    above = path.rpartition("/")[0]
    try:
        with folder.at(path):
            return
    except FileNotFoundError:
        raise ProviderError(
            f"the folder {shown(above)} is not there", hint="make it first with files.folder"
        ) from None


def _ours(path: str) -> None:
    """A path that may be changed: inside, and not git's own (its hooks are run as programs)."""
    if ".git" in (part.casefold() for part in parts_of(path)):
        raise ProviderError(
            f"{shown(path)} belongs to git itself", hint="connect the repository as git:PATH"
        )


def _missing(path: str) -> Json:
    raise ProviderError(f"there is nothing at {shown(path)}", hint="list the folder first")


def _given(args: Json) -> bytes:
    if ("text" in args) is ("base64" in args):
        raise ProviderError("files.write needs the bytes once", hint="give either text or base64")
    try:
        return args["text"].encode() if "text" in args else b64decode(args["base64"], validate=True)
    except NotBase64 as error:
        raise ProviderError(f"the bytes to write are not well-formed: {error}") from None


def _redacted(folder: Folder, args: Json) -> bytes:
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
    _ours(path)
    state = folder.look(path) or _missing(path)
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


def _owner(folder: Folder, path: str) -> list[int]:
    with folder.reading(path) as (_, seen):
        return [seen.st_uid, seen.st_gid]


def _usual(mode: int) -> int:
    umask = os.umask(0)
    os.umask(umask)
    return mode & ~umask


def _disk_time(work_dir: Path) -> str:
    """The time a file written now would carry, asked of the disk: the same call keeps it later."""
    try:
        work_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=work_dir) as probe:
            probe.write(b"\n")
            probe.flush()
            return str(os.fstat(probe.fileno()).st_mtime_ns)
    except OSError as error:
        raise unreadable(work_dir, error) from None
