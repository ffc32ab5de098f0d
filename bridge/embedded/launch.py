"""Run by path, without site packages: `launch.py PARENT SIGNAL UID GID COMMAND …` becomes COMMAND.

It asks the kernel for SIGNAL when PARENT dies, and drops to UID and GID first where they are not `-`. The order
matters: changing the user clears the request. A script of its own, because a process with threads must not run Python
between fork and exec.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, signal_number, uid, gid, *command = sys.argv[1:]
    if uid != "-":
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit(f"The process that started {command[0]} is gone.")
    os.execvp(command[0], command)  # noqa: S606 no shell is meant


if __name__ == "__main__":
    main()
