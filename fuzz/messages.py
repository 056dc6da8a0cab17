"""Event messages in frames whose checksums hold: the walkers of protobuf, both decoders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fuzz.harness import fuzz


def decoded(decoder: Any, data: bytearray) -> tuple[object, ...]:
    """All that a decoder finds; what settings stand there must be readable."""
    from trainlens.readers._tfevents.settings import Settings

    used, need, damage, malformed, odds = decoder.feed(data, len(data), True)
    Settings().read(data, odds)
    points = [(tag, bytes(a), bytes(b), bytes(c)) for tag, a, b, c in decoder.take()]
    return used, need, damage, malformed, odds, points, decoder.records, decoder.skipped


def make() -> Callable[[bytes], None]:
    """A target: the compiled decoder and the one in Python give the same answers."""
    from tests.robustness.formats._tfrecord import frame
    from trainlens.readers._tfevents import Decoder, fallback

    def target(data: bytes) -> None:
        parts = data[:20_000].split(b"\xff\xfe\xfd")[:8]
        log = bytearray(b"".join(frame(part) for part in parts))
        one, two = decoded(Decoder(), log), decoded(fallback.Decoder(), log)
        if repr(one) != repr(two):
            raise AssertionError(f"the decoders differ: {one} and {two}")

    return target


if __name__ == "__main__":
    fuzz(make)
