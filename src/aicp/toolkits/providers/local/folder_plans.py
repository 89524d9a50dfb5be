"""What each changing tool of a connected folder makes of which paths, found without an effect."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from aicp.toolkits.model import Call, Json
from aicp.toolkits.providers.base import ProviderError
from aicp.toolkits.providers.local.changes import Place, State, shown
from aicp.toolkits.providers.local.files import unreadable
from aicp.toolkits.providers.local.folder import Folder, parts_of
from aicp.toolkits.providers.local.folder_bytes import given, redacted, zipped
from aicp.toolkits.providers.local.folder_reads import measure

MOST_KEPT = 256 << 20  # bytes of a file that is replaced or deleted: they are copied to the trash
# attributes that carry rights or words of their own, which a file put back would lack
_OWN = ("user.", "trusted.", "system.posix_acl", "security.capability")


def plan(folder: Folder, call: Call, work_dir: Path) -> tuple[Place, ...]:
    """The places of a call with their states before and after it.

    Raises:
        ProviderError: the call cannot apply, or could not be taken back exactly.
    """
    return _PLANS[call.tool](folder, call.args, work_dir)


def _write(folder: Folder, args: Json, work_dir: Path) -> tuple[Place, ...]:
    path, data = args["path"], given(args)
    was = _replaceable(folder, path)
    if was is not None and was["sha256"] == sha256(data).hexdigest():
        raise ProviderError(f"{shown(path)} holds exactly these bytes already")
    return (_filled(folder, path, was, (data,), work_dir),)


def _redact(folder: Folder, args: Json, work_dir: Path) -> tuple[Place, ...]:
    path = args["path"]
    was = _replaceable(folder, path) or _missing(path)
    return (_filled(folder, path, was, (redacted(folder, args),), work_dir),)


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
