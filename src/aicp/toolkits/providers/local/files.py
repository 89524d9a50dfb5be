"""Files that other people own: read whole, replaced atomically, locked beside, never half-written.

A file is replaced by writing a temporary file next to it, fsync, rename, fsync of the folder, so a
process killed at any point leaves the old bytes or the new bytes. Locks live in the work folder.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from aicp.kernel.canonical import sha256
from aicp.toolkits.providers.base import ProviderError

Stamp = tuple[int, int, int]  # mtime in nanoseconds, size, inode


def stamp(path: Path) -> Stamp | None:
    """What changes whenever the file's bytes do; None when there is no file."""
    try:
        seen = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(path, error) from None
    return seen.st_mtime_ns, seen.st_size, seen.st_ino


def read_bytes(path: Path) -> bytes:
    """The whole file.

    Raises:
        ProviderError: missing, a folder, or not readable; the hint says how to fix it.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: OSError) -> ProviderError:
    if isinstance(error, FileNotFoundError):
        return ProviderError(f"{path} does not exist", hint="check the path, or create the file")
    if isinstance(error, IsADirectoryError):
        return ProviderError(f"{path} is a folder, not a file", hint="name a file inside it")
    if isinstance(error, PermissionError):
        return ProviderError(
            f"{path} may not be read or written by this user", hint=f"chmod u+rw {path}"
        )
    return ProviderError(f"{path}: {error.strerror}", hint="check the disk and the path")


@contextmanager
def locked(work_dir: Path, name: str) -> Iterator[None]:
    """Hold the exclusive lock called `name` among all processes that share the work folder."""
    folder = work_dir / "locks"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / sha256(name.encode())[:24], os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise unreadable(folder, error) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)  # closing lets the lock go, and so does dying


def replace(path: Path, data: bytes, expected: Stamp | None) -> Stamp:
    """Put `data` in the place of the file, keeping its mode and owner; the new file's stamp.

    Args:
        path: the file itself, not a link to it.
        data: all of its new bytes.
        expected: the stamp the decision was based on (None: there was no file).

    Raises:
        ProviderError: somebody else wrote the file since (nothing is touched), or the disk failed.
    """
    spare = path.with_name(f".{path.name}.aicp")
    try:
        with suppress(FileNotFoundError):
            spare.unlink()  # left by a process that was killed; the lock makes it ours
        return _swap(path, spare, data, expected)
    except OSError as error:
        with suppress(OSError):
            spare.unlink()
        raise unreadable(path, error) from None


def _swap(path: Path, spare: Path, data: bytes, expected: Stamp | None) -> Stamp:
    handle = os.open(spare, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as out:
        _like(out.fileno(), path if expected else None)
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    if stamp(path) != expected:
        spare.unlink()
        raise ProviderError(
            f"{path} was changed by somebody else at this very moment", retryable=True
        )
    spare.replace(path)
    sync_folder(path.parent)
    return stamp(path) or (0, 0, 0)


def _like(handle: int, model: Path | None) -> None:
    """Give the open file the mode and owner of the model (a fresh file: 0644 less the umask)."""
    if model is None:
        umask = os.umask(0)
        os.umask(umask)
        os.fchmod(handle, 0o666 & ~umask)
        return
    seen = model.stat()
    mine = os.fstat(handle)
    if (seen.st_uid, seen.st_gid) != (mine.st_uid, mine.st_gid):
        os.fchown(handle, seen.st_uid, seen.st_gid)
    os.fchmod(handle, seen.st_mode & 0o7777)


def remove(path: Path) -> None:
    """Take the file away for good; a file that is gone already is fine."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise unreadable(path, error) from None
    sync_folder(path.parent)


def move(old: Path, new: Path) -> None:
    """Rename within one file system, durably."""
    try:
        old.replace(new)
    except OSError as error:
        raise unreadable(old, error) from None
    sync_folder(new.parent)
    if old.parent != new.parent:
        sync_folder(old.parent)


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def private_folder(work_dir: Path) -> Iterator[Path]:
    """A folder for a rehearsal, gone afterwards."""
    try:
        work_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unreadable(work_dir, error) from None
    with tempfile.TemporaryDirectory(prefix="rehearsal-", dir=work_dir) as folder:
        yield Path(folder)
