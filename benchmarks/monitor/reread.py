"""The peer: reads every log again each second, as watchers without a place in the file do.

``python reread.py FOLDER FORM``. It decodes, and neither judges nor draws.
"""

import json
import sys
import time
from pathlib import Path


def read_jsonl(path: Path) -> int:
    """Records of a log."""
    with open(path, encoding="utf-8") as file:
        return len([json.loads(line) for line in file])


def read_tensorboard(path: Path) -> int:
    """Events of a log."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    return len(list(EventFileLoader(str(path)).Load()))


def main() -> None:
    """Read, and wait for the next second."""
    read = {"jsonl": read_jsonl, "tensorboard": read_tensorboard}[sys.argv[2]]
    while True:
        begin = time.monotonic()
        for path in Path(sys.argv[1]).glob("run*/*"):
            print("read", read(path), flush=True)
        time.sleep(max(0.0, 1.0 - (time.monotonic() - begin)))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
