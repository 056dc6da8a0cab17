"""``python -m fuzz.seeds CORPUS``: small valid logs for each target to begin with."""

import random
import sys
import tempfile
from pathlib import Path

from tests.robustness.formats import all_formats

TARGETS = {
    "tfrecord": "tensorboard",
    "wandb": "wandb",
    "text": "text",
    "csv": "csv",
    "jsonl": "jsonl",
}
BARE = {"messages": ("tensorboard", 12, 4), "history": ("wandb", 7, 0)}
"""Targets that frame their records themselves: format, bytes before and behind a record."""


def main() -> None:
    """Write the logs."""
    corpus = Path(sys.argv[1])
    for target, name in [*TARGETS.items(), *((t, b[0]) for t, b in BARE.items())]:
        folder = corpus / target
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(5):
            with tempfile.TemporaryDirectory() as scratch:
                file = all_formats()[name].write(Path(scratch), random.Random(number)).files[0]
            data = file.data
            if target in BARE:
                _, before, behind = BARE[target]
                records = [r for r in file.records if r.end - r.begin < 1000][:6]
                bare = [data[r.begin + before : r.end - behind] for r in records]
                data = b"\xff\xfe\xfd".join(bare)
            (folder / str(number)).write_bytes(data)


if __name__ == "__main__":
    main()
