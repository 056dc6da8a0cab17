"""Reads files one by one, in a process of its own; prints what each cost in time and memory.

``python -m tests.robustness._look LIMIT FORMAT PATH...``
"""

import faulthandler
import importlib
import resource
import sys
import time
from pathlib import Path

from trainlens.errors import TrainlensError
from trainlens.run import Run


def points(name: str, path: Path) -> int:
    """Points that the reader of a format finds in a path, whatever its sniffer says."""
    module = importlib.import_module(f"trainlens.readers.{name.replace('-', '_')}")
    module.sniff(path)
    total = 0
    for source in module.find(path):
        chunk = module.open_source(source).poll(final=True)
        total += Run("x", str(path), name).extend(chunk).points
    return total


def peak() -> int:
    """Most memory so far, in KiB.

    The system's own count for a process (`getrusage`) begins with that of its parent.
    """
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0])
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Print one line for each path."""
    limit, name = float(sys.argv[1]), sys.argv[2]
    print("start", 0, peak(), flush=True)
    for path in sys.argv[3:]:
        faulthandler.dump_traceback_later(limit, exit=True)
        begin = time.process_time()
        try:
            outcome = str(points(name, Path(path)))
        except TrainlensError as error:
            outcome = type(error).__name__
        taken = time.process_time() - begin
        faulthandler.cancel_dump_traceback_later()
        print(Path(path).name, f"{taken:.2f}", peak(), outcome, flush=True)


if __name__ == "__main__":
    main()
