"""Runs one command and prints its time and memory as JSON, from a process that is itself small.

``python -I -S launch.py SECONDS OUTPUT ERRORS COMMAND...``: a child inherits the peak memory of
the process that starts it, so a benchmark that holds a large array must not start what it
measures. This file imports the standard library only.
"""

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

_UNIT = 1 if sys.platform == "darwin" else 1024  # ru_maxrss counts bytes there, KiB elsewhere
_TICK = 0.05  # seconds between two looks at the memory of all processes


def resident(process: int) -> int:
    """Bytes that a process and all below it hold; pages that they share count for each.

    0 where the system does not tell (no ``/proc``), or the process is gone.
    """
    place = Path(f"/proc/{process}")
    try:
        pages = int((place / "statm").read_text().split()[1])
        # Each thread has its own children: a cluster starts its workers from a side thread.
        lists = [path.read_text() for path in place.glob("task/*/children")]
    except (OSError, IndexError):
        return 0
    below = [int(child) for each in lists for child in each.split()]
    return pages * resource.getpagesize() + sum(map(resident, below))


def main() -> None:
    """Start the command, wait for it at most so many seconds, and say what it took."""
    limit, output, errors, *command = sys.argv[1:]
    write = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    files = [(os.POSIX_SPAWN_OPEN, 1, output, write, 0o600)]
    files.append((os.POSIX_SPAWN_OPEN, 2, errors, write, 0o600))
    begin = time.perf_counter()
    # A group of its own: helpers and workers of a command that takes too long end with it.
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=files, setpgroup=0)
    peak = 0

    def look(*_: object) -> None:
        nonlocal peak
        peak = max(peak, resident(child))
        if time.perf_counter() - begin > float(limit):
            os.killpg(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, _TICK, _TICK)
    status = os.waitpid(child, 0)[1]
    seconds = time.perf_counter() - begin
    signal.setitimer(signal.ITIMER_REAL, 0)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    taken = {
        "code": os.waitstatus_to_exitcode(status),
        "seconds": seconds,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": max(peak, usage.ru_maxrss * _UNIT),
    }
    print(json.dumps(taken))


if __name__ == "__main__":
    main()
