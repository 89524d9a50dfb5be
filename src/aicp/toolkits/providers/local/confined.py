"""Runs one command that may read this machine but change nothing on it, and reach no network.

The first process of fresh namespaces (`unshare`): every mount becomes read-only, the folders where
sockets and other people's files lie become empty, a copy of a folder is the only place to write,
and no capability is left. Linux 5.12 or newer; elsewhere nothing is run. Standard library only,
since it is started by its path: `confined.py FOLDER HIDDEN -- WORDS`.
"""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_UNSHARE = ("unshare", "--user", "--map-root-user", "--mount", "--net", "--pid", "--ipc", "--uts",
            "--fork", "--kill-child", "--mount-proc", "--")  # fmt: skip
PLACE = "/tmp/checkout"  # noqa: S108, a private file system by then
_EMPTY = ("/tmp", "/var/tmp", "/run")  # noqa: S108, they are made empty
_DEVICES = ("null", "zero", "full", "random", "urandom")  # no disk, whoever owns it
_BIND, _NOSUID, _NODEV = 4096, 2, 4  # sys/mount.h
_RDONLY, _RECURSIVE, _HERE, _MOUNT_SETATTR = 1, 0x8000, -100, 442  # linux/mount.h, mount_setattr(2)
_CAPBSET_DROP, _SECUREBITS, _NO_NEW_PRIVS = 24, 28, 38  # sys/prctl.h
_NOROOT_LOCKED = 0b1111  # no capabilities for uid 0, and no way back: securebits.h


def line(folder: Path, hidden: Path, words: Sequence[str]) -> list[str]:
    """The command line that runs `words` in a writable view of `folder`, with `hidden` empty."""
    return [*_UNSHARE, sys.executable, "-I", "-S", __file__, str(folder), str(hidden), "--", *words]


def possible(folder: Path, env: Mapping[str, str]) -> bool:
    """Whether this machine can confine a command, found by confining one."""
    try:
        done = subprocess.run(
            line(folder, folder, ("true",)), env=dict(env), stdin=subprocess.DEVNULL,
            capture_output=True, timeout=20, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _run(folder: str, hidden: str, words: list[str]) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    source = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    for place in (*_EMPTY, hidden):
        if Path(place).is_dir():
            _mount(library, "tmpfs", place, b"tmpfs", _NOSUID | _NODEV)
    _few_devices(library)
    Path(PLACE).mkdir()
    _mount(library, f"/proc/self/fd/{source}", PLACE, None, _BIND)
    os.close(source)
    _set(library, "/", add=_RDONLY)
    for place in ("/tmp", "/dev/shm"):  # noqa: S108, the former with the checkout in it
        _set(library, place, remove=_RDONLY)
    _drop(library)
    os.chdir(PLACE)
    os.execvp(words[0], words)  # noqa: S606, the owner's own words, no shell


def _few_devices(library: ctypes.CDLL) -> None:
    """A read-only file system does not keep anybody from writing to a disk's device."""
    handles = {name: os.open(f"/dev/{name}", os.O_PATH) for name in _DEVICES}
    _mount(library, "tmpfs", "/dev", b"tmpfs", _NOSUID)
    for name, handle in handles.items():
        Path(f"/dev/{name}").touch()
        _mount(library, f"/proc/self/fd/{handle}", f"/dev/{name}", None, _BIND)
        os.close(handle)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        Path(f"/dev/{name}").symlink_to(f"/proc/self/fd/{number}")
    Path("/dev/fd").symlink_to("/proc/self/fd")
    Path("/dev/shm").mkdir()  # noqa: S108, a file system of its own
    _mount(library, "tmpfs", "/dev/shm", b"tmpfs", _NOSUID | _NODEV)  # noqa: S108


def _mount(library: ctypes.CDLL, source: str, place: str, kind: bytes | None, flags: int) -> None:
    if library.mount(source.encode(), place.encode(), kind, flags, None) != 0:
        _fail(f"mount {place}")


def _set(library: ctypes.CDLL, place: str, *, add: int = 0, remove: int = 0) -> None:
    wanted = struct.pack("QQQQ", add, remove, 0, 0)
    if library.syscall(_MOUNT_SETATTR, _HERE, place.encode(), _RECURSIVE, wanted, len(wanted)) != 0:
        _fail(f"mount_setattr {place}")


def _drop(library: ctypes.CDLL) -> None:
    """Give away every capability for good, so that no mount can be changed back."""
    if library.prctl(_SECUREBITS, _NOROOT_LOCKED, 0, 0, 0) != 0:
        _fail("securebits")
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for capability in range(last + 1):
        if library.prctl(_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            _fail("capabilities")
    if library.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        _fail("no_new_privs")


def _fail(what: str) -> None:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number), what)


if __name__ == "__main__":
    _run(sys.argv[1], sys.argv[2], sys.argv[4:])
