"""The operator's rules as they stand in their folder now, read again when a file changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from aicp.toolkits.catalogue import Catalogue
from aicp.trust.policy import Policies, Source, load
from aicp.trust.sequences import Sequences, read

Seen = tuple[tuple[str, int, int], ...]  # name, modified (ns) and size of each file
SEQUENCES = "sequences.toml"


@dataclass
class RuleBook:
    """One folder: `*.cedar` and `sequences.toml`. A folder that was named must be there."""

    folder: Path
    named: bool = False  # by a setting; the usual folder may be missing
    _seen: Seen | None = field(default=None, repr=False)
    _read: tuple[tuple[Source, ...], Sequences] = field(default=((), read("")), repr=False)

    def policies(self, tools: Catalogue) -> Policies:
        """The policies of now, validated against these tools."""
        return load(self.sources(), tools)

    def sources(self) -> tuple[Source, ...]:
        """The policy files, by name."""
        return self._current()[0]

    def sequences(self) -> Sequences:
        """The sequence rules of now."""
        return self._current()[1]

    def _current(self) -> tuple[tuple[Source, ...], Sequences]:
        """What the folder says; whatever cannot be read is a source with a problem."""
        try:
            files = sorted(self.folder.iterdir()) if self.named or self.folder.is_dir() else []
            wanted = [f for f in files if f.suffix == ".cedar" or f.name == SEQUENCES]
            seen = tuple((f.name, f.stat().st_mtime_ns, f.stat().st_size) for f in wanted)
        except OSError as error:
            return (_unread(str(self.folder), error),), read("")
        if seen != self._seen:
            self._read = _policies(wanted), _sequences(wanted)
            self._seen = seen
        return self._read


def _policies(files: list[Path]) -> tuple[Source, ...]:
    return tuple(_source(file) for file in files if file.suffix == ".cedar")


def _source(file: Path) -> Source:
    try:
        return Source(file.name, file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        return _unread(file.name, error)


def _sequences(files: list[Path]) -> Sequences:
    for file in files:
        if file.name == SEQUENCES:
            found = _source(file)
            return read(
                found.text, problem=f"{found.name} {found.problem}" if found.problem else ""
            )
    return read("")


def _unread(name: str, error: Exception) -> Source:
    why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
    return Source(name, "", f"cannot be read ({why})")
