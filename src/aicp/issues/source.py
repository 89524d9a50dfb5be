"""The bytes of one state of the file, read only as far as somebody looks.

Reading 7 MB into memory takes longer than starting Python. A write that changes one line looks at a
few kilobytes around it and lets the kernel copy the rest from file to file.
"""

from __future__ import annotations

import errno
import os

from aicp.issues.errors import Conflict

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_CHUNK = 1 << 20
_SPAN = 4096  # bytes to look at around a line; doubled for longer ones


class Source:
    """An open file. It stays the same file when another takes its name.

    Raises:
        OSError: it cannot be opened.
    """

    __slots__ = ("_data", "_seen", "descriptor", "info", "path")

    def __init__(self, path: str) -> None:
        self.descriptor = -1
        self.path = path
        self._data: bytes | None = None
        self._seen: dict[int, tuple[int, bytes]] = {}
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.info = os.fstat(self.descriptor)

    def __del__(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)

    @property
    def size(self) -> int:
        return self.info.st_size

    @property
    def data(self) -> bytes:
        """All of it."""
        if self._data is None:
            self._data = self._read(0, self.size)
        return self._data

    def part(self, start: int, end: int) -> bytes:
        """The bytes of a range that lies within the file."""
        return self._read(start, end) if self._data is None else self._data[start:end]

    def line_at(self, at: int) -> tuple[int, bytes]:
        """(start, line): the line that covers an offset, with its newline.

        Kept, because every search of one write begins at the same middles.
        """
        seen = self._seen.get(at)
        if seen is None:
            seen = self._seen[at] = self._line_at(at)
        return seen

    def _line_at(self, at: int) -> tuple[int, bytes]:
        span = _SPAN
        while True:
            low, high = max(0, at - span), min(self.size, at + span)
            chunk = self.part(low, high)
            start = chunk.rfind(b"\n", 0, at - low) + 1
            end = chunk.find(b"\n", at - low) + 1 or (len(chunk) if high == self.size else 0)
            if end and (start or not low):
                return low + start, chunk[start:end]
            span *= 4

    def copy(self, start: int, end: int, descriptor: int) -> None:
        """Append a range to another file, already on its way to the disk when this returns.

        Without the advice the disk would stay idle until the `fsync` that follows; with it a third
        of the time of a write is saved at ten thousand issues.
        """
        while start < end:
            chunk = min(end - start, _CHUNK)
            try:
                done = os.copy_file_range(self.descriptor, descriptor, chunk, start)
                _start_writing(descriptor, done)
            except (AttributeError, OSError) as error:
                if isinstance(error, OSError) and error.errno in _NO_ROOM:
                    raise
                done = os.write(descriptor, self.part(start, start + chunk))
            if not done:
                raise self._changed()
            start += done

    def _read(self, start: int, end: int) -> bytes:
        data = os.pread(self.descriptor, end - start, start)
        if len(data) != end - start:
            raise self._changed()
        return data

    def _changed(self) -> Conflict:
        return Conflict(f"{self.path} was cut short while it was read", hint="run it again")


def _start_writing(descriptor: int, size: int) -> None:
    """Let the kernel begin to write the last bytes out, as POSIX_FADV_DONTNEED does for dirty ones."""
    if hasattr(os, "posix_fadvise"):
        at = os.lseek(descriptor, 0, os.SEEK_CUR) - size
        os.posix_fadvise(descriptor, at, size, os.POSIX_FADV_DONTNEED)
