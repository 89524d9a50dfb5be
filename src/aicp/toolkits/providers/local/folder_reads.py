"""What the reading tools of a connected folder answer."""

from __future__ import annotations

from base64 import b64encode
from codecs import getincrementaldecoder
from collections import defaultdict
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import islice

from aicp.toolkits.model import Json
from aicp.toolkits.providers.base import ProviderError
from aicp.toolkits.providers.local.changes import shown, version_of
from aicp.toolkits.providers.local.folder import Folder, Seen

USUAL_READ = 64 << 10
MOST_ENTRIES, MOST_BYTES = 20_000, 1 << 30  # of a connected folder; each state is hashed whole


def listing(folder: Folder, args: Json) -> Json:
    """{"entries": [...], "more": whether the limit cut it}; `usable` false: the name is no text."""
    path, limit = args.get("path", ""), args.get("limit", 1000)
    deep, match = args.get("recursive", False), args.get("match", "*")
    found = folder.walk(path, deep=deep)
    fitting = (seen for seen in found if fnmatchcase(seen.path.rsplit("/", 1)[-1], match))
    entries = [_entry(seen) for seen in islice(fitting, limit + 1)]
    return {"entries": entries[:limit], "more": len(entries) > limit}


def content(folder: Folder, args: Json) -> Json:
    """A stretch of a file; `next` is where the rest begins, null at the end."""
    offset, length = args.get("offset", 0), args.get("length", USUAL_READ)
    with folder.reading(args["path"]) as (source, seen):
        source.seek(offset)
        chunk = source.read(length)
    text = _text(chunk, last=offset + len(chunk) >= seen.st_size)
    used = len(text.encode()) if text is not None else len(chunk)
    shape = {"text": text} if text is not None else {"base64": b64encode(chunk).decode()}
    following = offset + used if offset + used < seen.st_size and used else None
    return {
        "path": args["path"],
        "size": seen.st_size,
        "offset": offset,
        "next": following,
        **shape,
    }


def look(folder: Folder, args: Json) -> Json:
    state = folder.look(args["path"])
    if state is None:
        raise ProviderError(
            f"there is nothing at {shown(args['path'])}", hint="list the folder first"
        )
    return {"path": args["path"], **state, "version": version_of(state)}


def duplicates(folder: Folder, args: Json) -> Json:
    """{"groups": [{"sha256", "size", "files": [{"path", "version"}]}], "bytes": that could go}."""
    measure(folder, args.get("path", ""))
    by_size: dict[int, dict[tuple[int, int], str]] = defaultdict(dict)
    for seen in folder.walk(args.get("path", "")):
        if seen.kind == "file" and seen.stat.st_size >= args.get("min_size", 1) and _usable(seen):
            by_size[seen.stat.st_size].setdefault((seen.stat.st_dev, seen.stat.st_ino), seen.path)
    groups: dict[str, list[Json]] = defaultdict(list)
    for paths in (found.values() for _, found in sorted(by_size.items()) if len(found) > 1):
        for path in paths:
            if (state := folder.look(path)) and state["kind"] == "file":
                one = {"path": path, "version": version_of(state), "size": state["size"]}
                groups[state["sha256"]].append(one)
    return _grouped(groups)


def _grouped(groups: dict[str, list[Json]]) -> Json:
    shown_ = [
        {
            "sha256": sha,
            "size": files[0]["size"],
            "files": [{"path": one["path"], "version": one["version"]} for one in files],
        }
        for sha, files in groups.items()
        if len(files) > 1
    ]
    return {"groups": shown_, "bytes": sum(g["size"] * (len(g["files"]) - 1) for g in shown_)}


def measure(folder: Folder, path: str = "") -> Json:
    """Counts of what lies below, by kind, and its bytes.

    Raises:
        ProviderError: more than can be hashed and rehearsed in a moment.
    """
    counts: Json = {"file": 0, "folder": 0, "link": 0, "special": 0, "unusable": 0, "bytes": 0}
    for number, seen in enumerate(folder.walk(path), start=1):
        counts[seen.kind] += 1
        counts["unusable"] += not _usable(seen)
        counts["bytes"] += seen.stat.st_size if seen.kind == "file" else 0
        if number > MOST_ENTRIES or counts["bytes"] > MOST_BYTES:
            raise ProviderError(
                f"{shown(path or folder.root.name)} holds more than {MOST_ENTRIES} entries or 1 GiB",
                hint="connect a smaller folder inside it",
            )
    return counts


def _usable(seen: Seen) -> bool:
    return not any("\udc80" <= c <= "\udcff" for c in seen.path)


def _entry(seen: Seen) -> Json:
    moment = datetime.fromtimestamp(seen.stat.st_mtime_ns // 10**9, UTC)
    return {
        "path": seen.path.encode("utf-8", "backslashreplace").decode(),
        "usable": _usable(seen),
        "kind": seen.kind,
        "size": seen.stat.st_size if seen.kind == "file" else 0,
        "mode": f"{seen.stat.st_mode & 0o7777:04o}",
        "modified": moment.isoformat(),
    }


def _text(chunk: bytes, *, last: bool) -> str | None:
    """The text of a stretch, less a letter that is cut off at its end; None when it is none."""
    try:
        text = getincrementaldecoder("utf-8")("strict").decode(chunk, final=last)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text or (chunk and not text) else text
