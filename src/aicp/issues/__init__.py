"""`bd`: the issue graph kept in git, as a library and a command.

The truth is one file, `.beads/issues.jsonl`: one issue a line, sorted by id. `events.jsonl` beside
it is the audit trail. Everything else there is a cache. Nothing here needs a server, a database or
a configuration, and nothing is imported from outside the standard library.

Start reading at `book.py` (what callers use), `graph.py` (the one engine that decides what is
ready) and `store.py` (how a write survives anything).

Three habits of this package have one reason, the 25 ms in which `bd` starts: annotations are never
evaluated, `TYPE_CHECKING` is a plain constant because importing `typing` takes 8 ms, and values are
slotted classes written by hand because `dataclasses` takes 10.
"""
