"""Records of W&B in chunks whose checksums hold: the walker of protobuf and the history."""

import struct
import zlib
from collections.abc import Callable

from fuzz.harness import fuzz, of_reader

MAGIC = b":W&B\xe1\xbe\x00"
FULL = 1


def make() -> Callable[[bytes], None]:
    """A target: each part of the input is a record."""
    read = of_reader("wandb", "run-a/run-a.wandb")

    def target(data: bytes) -> None:
        log = MAGIC
        for part in data[:20_000].split(b"\xff\xfe\xfd")[:8]:
            log += struct.pack("<IHB", zlib.crc32(bytes([FULL]) + part), len(part), FULL) + part
        read(log)

    return target


if __name__ == "__main__":
    fuzz(make)
