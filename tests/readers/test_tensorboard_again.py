"""Scalars as tensors that look like the one before: the same with and without the short way."""

import os
import random
import struct

import numpy as np
import pytest

from tests.readers.test_tensorboard_decoder import (
    DECODERS,
    canonical,
    chunk,
    compiled,
    decode,
    frame,
    varint,
)
from trainlens.readers import _tfevents

pytestmark = compiled
ROUNDS = int(os.environ.get("TRAINLENS_FUZZ", "240"))
META = [
    b"",
    chunk(9, chunk(1, chunk(1, b"scalars")) + b"\x20\x01"),
    chunk(9, chunk(1, chunk(1, b"text"))),
    chunk(9, b"\x20\x02"),
    chunk(9, b"\x20\x01"),
    chunk(9, chunk(1, chunk(1, b"tex_"))),
    chunk(9, chunk(1, chunk(1, b"other"))),
]
TAGS = [b"loss", b"size", b"epoch_accuracy", b"a", b"", b"x" * 140, b"y" * 600, b"_hparams_/a"]
SHAPES = [b"", chunk(2, b""), chunk(2, chunk(2, b"\x08\x01")), chunk(2, chunk(2, b"\x08\x02"))]


def quick(data):
    """`frame`, by the compiled checksum."""
    if not _tfevents.COMPILED:
        return frame(data)
    from trainlens.readers._tfevents._native import crc32c

    def masked(part):
        crc = crc32c(bytearray(part), len(part))
        return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)

    length = struct.pack("<Q", len(data))
    return length + masked(length) + data + masked(data)


def tensor(rng, kind, value):
    """A tensor with its number in one of the places where writers put it."""
    single, double = struct.pack("<f", value), struct.pack("<d", value)
    shape = rng.choice(SHAPES[:3]) if kind < 9 else SHAPES[3]
    return [
        b"\x08\x01" + shape + chunk(4, single),
        b"\x08\x01" + shape + chunk(5, single),
        b"\x08\x02" + shape + chunk(4, double),
        b"\x08\x02" + shape + chunk(6, double),
        b"\x08\x01" + shape + b"\x2d" + single,
        chunk(5, single) + b"\x08\x02" + shape + chunk(6, double),
        chunk(5, single) + b"\x08\x02" + shape,
        b"\x08\x01" + chunk(5, single + single) + chunk(4, b""),
        b"\x08\x03" + chunk(4, single) + shape,
        b"\x08\x01" + shape + chunk(4, single),
        b"\x08\x01" + chunk(4, single) + chunk(5, single) + chunk(4, b""),
        b"\x08\x01\x2d" + single + chunk(5, double) + chunk(6, double),
        b"\x08\x01" + chunk(4, struct.pack("<f", -value)) + chunk(5, single),
    ][kind]


def event(rng, step, tag, kind, meta, value, turned=False):
    body = chunk(8, tensor(rng, kind, value))
    body = meta + body + chunk(1, tag) if turned else chunk(1, tag) + body + meta
    if rng.random() < 0.03:
        body += rng.choice([b"\x15" + struct.pack("<f", value), chunk(3, b""), body])
    number = b"" if step == 0 else b"\x10" + varint(step)
    head = b"\x09" + struct.pack("<d", step + 2.0)
    summary = chunk(5, chunk(1, body))
    orders = [head + number + summary] * 6
    orders += [number + head + summary, summary + head + number, head + number + summary * 2]
    return rng.choice(orders)


def changed(rng, data):
    """Some bytes of a message changed; its checksum will hold all the same."""
    data = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(data))
        way = rng.randrange(3)
        if way == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif way == 1:
            del data[at : at + rng.randrange(1, 9)]
        else:
            data[at:at] = rng.randbytes(rng.randrange(1, 9))
        data = data or bytearray(1)
    return bytes(data)


def log(rng):
    tags = rng.sample(TAGS, rng.randrange(1, 5))
    kinds = {tag: rng.randrange(13) for tag in tags}
    turned = rng.random() < 0.3
    metas = {tag: rng.choice(META[:2] * 3 + META) for tag in tags}
    for step in range(rng.choice([3, 12, 40])):
        if rng.random() < 0.2:
            rng.shuffle(tags)
        for tag in tags:
            if rng.random() < 0.1:
                metas[tag] = rng.choice(META)
            if rng.random() < 0.04:
                kinds[tag] = rng.randrange(13)
            value = rng.choice([step * 0.1, rng.gauss(0, 1e3), float("nan"), float("inf"), -0.0])
            at = rng.choice([step, step, 0, 2**40 + step, 2**64 - 1 - step])
            found = event(rng, at, tag, kinds[tag], metas[tag], value, turned)
            yield changed(rng, found) if rng.random() < 0.05 else found


@pytest.mark.parametrize("part", range(4))
def test_decoders_agree_on_what_is_said_again_and_again(part):
    for number in range(part, ROUNDS, 4):
        rng = random.Random(number)
        data = b"".join(map(quick, log(rng)))
        cuts = [rng.randrange(len(data) + 1) for _ in range(rng.randrange(4))]
        results = [canonical(decode(decoder, data, cuts)) for decoder in DECODERS]
        assert results[0] == results[1], number


def test_what_is_said_of_the_plugin_later_counts():
    """Points of a tag end where its metadata say that it is text, alike as the tensors are."""

    def said(step, meta):
        body = chunk(1, b"a") + chunk(8, b"\x08\x01" + chunk(4, struct.pack("<f", step / 2)))
        head = b"\x09" + struct.pack("<d", 1.0) + b"\x10" + varint(step)
        return frame(head + chunk(5, chunk(1, body + meta)))

    data = b"".join(said(i, META[2] if i == 5 else b"") for i in range(9))
    for decoder in DECODERS:
        ((tag, step, value, _),) = decode(decoder, data)[0]
        assert tag == b"a"
        assert np.frombuffer(step, np.int64).tolist() == [0, 1, 2, 3, 4]
        assert np.frombuffer(value).tolist() == [0, 0.5, 1, 1.5, 2]
