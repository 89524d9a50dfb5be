"""Becomes an MCP server that cannot outlive the process that started it.

Run as a file of its own, with nothing of this package loaded. Its first line on standard error is
its process id, which stays that of the server: the one word its keeper needs to be able to kill it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2), Linux


def main() -> None:
    os.write(2, f"{os.getpid()}\n".encode())
    if sys.platform == "linux":
        keeper = os.getppid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != keeper:  # it died before it could be bound to us
            os._exit(1)
    try:
        os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606, the operator's own words, no shell
    except OSError as error:
        os.write(2, f"{sys.argv[1]}: {error.strerror}\n".encode())
        os._exit(127)


if __name__ == "__main__":
    main()
