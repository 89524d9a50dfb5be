"""Renaming without ever replacing what is there already (renameat2, Linux; renameatx_np, macOS)."""

from __future__ import annotations

import ctypes
import errno
import os
from functools import cache
from typing import Any

_NOREPLACE = 1  # RENAME_NOREPLACE, linux/fs.h
_EXCLUSIVE = 4  # RENAME_EXCL, sys/stdio.h of macOS
_UNSUPPORTED = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP})


def rename(old_folder: int, old: str, new_folder: int, new: str) -> None:
    """Rename between two open folders of one file system; atomic.

    Where the file system cannot refuse by itself, absence is checked right before.

    Raises:
        FileExistsError: something has the new name.
        OSError: whatever else the system says.
    """
    code = _ask_kernel(old_folder, os.fsencode(old), new_folder, os.fsencode(new))
    if code == 0:
        return
    if code not in _UNSUPPORTED:
        raise OSError(code, os.strerror(code), new)
    if _exists(new_folder, new):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)
    os.rename(old, new, src_dir_fd=old_folder, dst_dir_fd=new_folder)


def _ask_kernel(old_folder: int, old: bytes, new_folder: int, new: bytes) -> int:
    call, flag = _function()
    if call is None:
        return errno.ENOSYS
    ctypes.set_errno(0)
    return 0 if call(old_folder, old, new_folder, new, flag) == 0 else ctypes.get_errno()


@cache
def _function() -> tuple[Any, int]:
    """Looked up once; it is the same for the whole process."""
    library = ctypes.CDLL(None, use_errno=True)
    for name, flag in (("renameat2", _NOREPLACE), ("renameatx_np", _EXCLUSIVE)):
        if (call := getattr(library, name, None)) is not None:
            text, number = ctypes.c_char_p, ctypes.c_int
            call.argtypes = (number, text, number, text, ctypes.c_uint)
            return call, flag
    return None, 0


def _exists(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
