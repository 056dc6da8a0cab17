"""The two decoders agree on any bytes, and behind damage every intact record is found."""

import random
import resource
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainlens.readers import _tfevents
from trainlens.readers._tfevents import crc32c, fallback

if _tfevents.COMPILED:
    from trainlens.readers._tfevents import _native

    DECODERS = [_native.Decoder, fallback.Decoder]
else:
    DECODERS = [fallback.Decoder]

both = pytest.mark.parametrize("decoder", DECODERS, ids=lambda d: d.__module__.split("_")[-1])
compiled = pytest.mark.skipif(not _tfevents.COMPILED, reason="the C extension is not built")


def slow_crc(data: bytes) -> int:
    """CRC-32C bit by bit, from its definition, then the mask of TFRecord."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def frame(data: bytes) -> bytes:
    """One TFRecord."""
    length = struct.pack("<Q", len(data))
    return b"".join(
        [length, struct.pack("<I", slow_crc(length)), data, struct.pack("<I", slow_crc(data))]
    )


def varint(n: int) -> bytes:
    """A protobuf number."""
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def chunk(number: int, data: bytes) -> bytes:
    """A length-delimited protobuf field."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def scalar(step: int, value: float, tag: bytes = b"loss") -> bytes:
    """An event with one simple value."""
    inner = chunk(1, tag) + b"\x15" + struct.pack("<f", value)
    head = b"\x09" + struct.pack("<d", step + 2.0) + b"\x10" + varint(step)
    return head + chunk(5, chunk(1, inner))


def decode(decoder, data: bytes, cuts=(), final=True):
    """Everything a decoder says about bytes that arrive in pieces."""
    it, buffer, out = decoder(), b"", []
    ends = [*sorted(cuts), len(data)]
    begin = 0
    for end in ends:
        buffer += data[begin:end]
        begin = end
        used, need, damage, malformed, odds = it.feed(
            bytearray(buffer), len(buffer), final and end == ends[-1] and begin == len(data)
        )
        places = [(*odd[:3], odd[3] - used + it.position, odd[4] - odd[3]) for odd in odds]
        out.append((need, damage, malformed, places))
        buffer = buffer[used:]
    points = [(t, bytes(s), bytes(v), bytes(w)) for t, s, v, w in it.take()]
    return points, it.position, it.records, it.skipped, out


def steps(decoded) -> dict[int, float]:
    """Values by step of the one tag."""
    if not decoded[0]:
        return {}
    ((_, step, value, _),) = decoded[0]
    return dict(
        zip(np.frombuffer(step, np.int64).tolist(), np.frombuffer(value).tolist(), strict=True)
    )


LOG = [frame(scalar(i, i + 0.5)) for i in range(400)]
BOUNDS = np.cumsum([0, *map(len, LOG)]).tolist()


def mutate(kind: int, data: bytes, rng: random.Random) -> tuple[bytes, int, int]:
    """Damage of a kind, and the range of the original bytes that it hit."""
    m = bytearray(data)
    a = rng.randrange(1, len(data) - 1)
    if kind == 0:
        m[a] ^= 1 << rng.randrange(8)
        return bytes(m), a, a + 1
    if kind == 1:
        n = rng.randrange(1, 300)
        del m[a : a + n]
        return bytes(m), a, a + n
    if kind == 2:
        m[a:a] = rng.randbytes(rng.randrange(1, 300))
        return bytes(m), a, a + (0 if a in BOUNDS else 1)
    if kind == 3:
        n = min(rng.randrange(1, 500), len(m) - a)
        m[a : a + n] = bytes(n)
        return bytes(m), a, a + n
    return bytes(m[:a]), a, len(data)


@both
@pytest.mark.parametrize("kind", range(5))
def test_every_intact_record_survives_and_none_is_invented(decoder, kind):
    rng = random.Random(kind)
    whole = b"".join(LOG)
    for _ in range(300 if decoder is not fallback.Decoder else 20):
        data, begin, end = mutate(kind, whole, rng)
        got = steps(decode(decoder, data))
        intact = [i for i in range(400) if BOUNDS[i + 1] <= begin or BOUNDS[i] >= end]
        assert set(intact) <= set(got)
        assert all(value == step + 0.5 for step, value in got.items())


@both
def test_a_file_cut_anywhere_keeps_its_complete_records(decoder):
    tail = LOG[-10:]
    whole, ends = b"".join(tail), np.cumsum(list(map(len, tail)))
    for size in range(len(whole) + 1):
        got = decode(decoder, whole[:size])
        assert list(steps(got)) == list(range(390, 390 + int((ends <= size).sum())))
        clean = size == 0 or size in ends
        assert [d for _, damage, _, _ in got[4] for d in damage] == (
            [] if clean else [(int(ends[ends <= size].max(initial=0)), size)]
        )


@both
def test_known_checksums(decoder):
    # RFC 3720, B.4: 32 zero bytes, 32 bytes of ones, 0..31.
    known = {bytes(32): 0x8A9136AA, b"\xff" * 32: 0x62A8AB43, bytes(range(32)): 0x46DD794E}
    for data, crc in known.items():
        mask = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
        assert slow_crc(data) == mask
        assert decode(decoder, frame(data)[:-4] + struct.pack("<I", mask))[2] == 1


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.data())
def test_range_checksums_follow_from_states(data, draw):
    a = draw.draw(st.integers(0, len(data)))
    b = draw.draw(st.integers(a, len(data)))
    sums = crc32c.Checksums(np.frombuffer(data, np.uint8))
    assert int(sums.masked(np.array([a]), np.array([b]))[0]) == slow_crc(data[a:b])


def test_checksums_across_segments(monkeypatch):
    monkeypatch.setattr(crc32c, "SEGMENT", 64)
    data = random.Random(0).randbytes(1500)
    sums = crc32c.Checksums(np.frombuffer(data, np.uint8))
    for a, b in ((0, 1500), (1499, 1500), (63, 65), (64, 128), (700, 1400), (3, 40)):
        assert int(sums.masked(np.array([a]), np.array([b]))[0]) == slow_crc(data[a:b])


@compiled
@pytest.mark.parametrize("size", [0, 1, 3, 7, 8, 9, 31, 1000])
def test_compiled_checksum_equals_the_definition(size):
    data = random.Random(size).randbytes(size)
    crc = _native.crc32c(bytearray(data), size)
    assert ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF == slow_crc(data)


# Messages that lean towards what the decoders look at, and towards what is wrong with it.
numbers = st.sampled_from([*range(1, 12), 13, 16, 17, 99])
leaves = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [b"loss", b"text", b"scalars", b"_hparams_/session_start_info", b"_hparams_/x"]
    ),
)
varints = st.sampled_from([0, 1, 2, 7, 14, 19, 127, 128, 2**31, 2**63, 2**64 - 1]).map(varint)


def message(content):
    """A few fields around content."""
    field = st.one_of(
        st.builds(chunk, numbers, content),
        st.builds(lambda n, v: varint(n << 3) + v, numbers, varints),
        st.builds(lambda n, v: varint(n << 3 | 5) + v, numbers, st.binary(min_size=4, max_size=4)),
        st.builds(lambda n, v: varint(n << 3 | 1) + v, numbers, st.binary(min_size=8, max_size=8)),
        st.builds(lambda n, v: varint(n << 3 | 3) + v + varint(n << 3 | 4), numbers, content),
    )
    return st.lists(field, max_size=5).map(b"".join)


values = st.builds(
    lambda tag, tensor, meta, rest: chunk(1, tag) + rest + chunk(8, tensor) + chunk(9, meta),
    st.sampled_from([b"a", b"bb", b"", b"_hparams_/session_start_info"]),
    message(message(leaves)) | st.builds(lambda t, v: b"\x08" + t + v, varints, message(leaves)),
    st.sampled_from(
        [b"", chunk(1, chunk(1, b"text")), chunk(1, chunk(1, b"scalars")), b"\x20\x01"]
    ),
    message(leaves),
)
events = st.one_of(
    message(message(message(leaves))),
    st.builds(lambda v: b"\x10\x05" + chunk(5, chunk(1, v)), values),
    st.builds(scalar, st.integers(0, 2**63), st.floats(width=32), leaves),
    st.builds(
        lambda e, i, b: e[: i % len(e)] + bytes([b]) + e[i % len(e) + 1 :],
        st.builds(scalar, st.integers(0, 300), st.floats(width=32), leaves),
        st.integers(0, 100),
        st.integers(0, 255),
    ),
)


def canonical(decoded):
    """NaNs differ in their payload from machine to machine: make them one."""
    points = [
        (t, s, np.where(np.isnan(np.frombuffer(v)), np.nan, np.frombuffer(v)).tobytes(), w)
        for t, s, v, w in decoded[0]
    ]
    return repr((points, *decoded[1:]))


@compiled
@settings(max_examples=150, deadline=None)
@given(st.lists(events, min_size=1, max_size=8), st.data())
def test_decoders_agree_on_any_message(records, draw):
    data = b"".join(map(frame, records))
    cuts = draw.draw(st.lists(st.integers(0, len(data)), max_size=3))
    results = [canonical(decode(decoder, data, cuts)) for decoder in DECODERS]
    assert results[0] == results[1]


@compiled
@pytest.mark.parametrize("seed", range(40))
def test_decoders_agree_on_damaged_files(seed):
    rng = random.Random(seed)
    data = b"".join(LOG[: rng.randrange(2, 60)])
    for _ in range(rng.randrange(1, 5)):
        if len(data) > 3:
            data, *_ = mutate(rng.randrange(5), data, rng)
    cuts = [rng.randrange(len(data) + 1) for _ in range(rng.randrange(4))]
    final = bool(rng.randrange(4))
    results = [canonical(decode(decoder, data, cuts, final)) for decoder in DECODERS]
    assert results[0] == results[1]


def header(length: int) -> bytes:
    """The first 12 bytes of a record of a declared length."""
    raw = struct.pack("<Q", length)
    return raw + struct.pack("<I", slow_crc(raw))


def hostile_files() -> dict[str, bytes]:
    """Crafted files of at most 1 MB, by name."""
    size = 1_000_000
    return {
        "zeros": bytes(size),
        "huge length": header(2**40) + bytes(1000),
        "largest length": header(2**64 - 1) + LOG[3],
        "over the cap": header((64 << 20) + 1) + LOG[3],
        "headers that reach the end": b"".join(
            header(size - 16 - at) + b"\1" * 388 for at in range(0, size - 12, 400)
        ),
        "headers only": header(500_000) * (size // 12),
        "nested groups": frame_fast(b"\x0b" * 600_000),
        "junk between records": b"".join(b"?" + LOG[i % 400] for i in range(20_000)),
    }


def frame_fast(data: bytes) -> bytes:
    """`frame` for long data."""
    view = np.frombuffer(data, np.uint8)
    crc = crc32c.Checksums(view).masked(np.array([0]), np.array([len(data)]))
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", slow_crc(length)) + data + crc.astype("<u4").tobytes()


@both
@pytest.mark.parametrize("name", list(hostile_files()))
def test_hostile_files_are_read_to_their_end(decoder, name):
    data = hostile_files()[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    decoded = decode(decoder, data)
    assert decoded[1] == len(data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 256 << 10
    if name in ("largest length", "over the cap"):
        assert steps(decoded) == {3: 3.5}
    if name == "junk between records":
        assert len(steps(decoded)) == 400


@both
def test_many_tags_in_one_record(decoder):
    values = b"".join(chunk(1, chunk(1, b"tag%d" % i) + b"\x15\0\0\x80\x3f") for i in range(30_000))
    data = frame_fast(chunk(5, values))
    points = decode(decoder, data)[0]
    assert [p[0] for p in points] == [b"tag%d" % i for i in range(30_000)]
    assert all(np.frombuffer(p[2]).tolist() == [1.0] for p in points)


@both
def test_a_long_record_is_found_behind_damage(decoder):
    """Long candidates are checked by the states at their ends, not byte by byte."""
    data = b"\x55" * 5000 + frame_fast(chunk(4, random.Random(5).randbytes(20_000))) + LOG[7]
    decoded = decode(decoder, data)
    assert decoded[2] == 2
    assert decoded[4][0][1] == [(0, 5000)]


@compiled
def test_compiled_feed_refuses_what_it_cannot_hold():
    decoder = _native.Decoder()
    with pytest.raises(ValueError, match="bytearray"):
        decoder.feed(b"bytes", 3, True)
    with pytest.raises(ValueError, match="bytearray"):
        decoder.feed(bytearray(3), 4, True)
    with pytest.raises(ValueError, match="bytearray"):
        decoder.feed(bytearray(3), -1, True)


@both
@pytest.mark.parametrize("size", [1, 7, 8, 16, 17, 24, 32, 33, 90])
def test_tags_that_differ_in_one_byte_are_told_apart(decoder, size):
    """Names are compared in words, or by a call where they are very short or long."""
    tags = [b"t" * i + b"u" + b"t" * (size - i - 1) for i in range(size)]
    rounds = [frame(scalar(step, i, tag)) for step in range(2) for i, tag in enumerate(tags)]
    points = decode(decoder, b"".join(rounds))[0]
    assert [tag for tag, *_ in points] == tags
    assert [np.frombuffer(p[2]).tolist() for p in points] == [[i, i] for i in range(size)]


@both
@pytest.mark.parametrize("promised", [0, 1, 2_000, 10**6, 2**60])
def test_room_for_points_never_depends_on_what_the_file_promised(decoder, promised):
    """Few points of a tag first and many later; an estimate that is too small, and too large."""
    turns = [i % 20 == 0 if i < 1_000 else i % 20 > 0 for i in range(4_000)]
    frames = [frame(scalar(i, i, b"late" if late else b"early")) for i, late in enumerate(turns)]
    it, data = decoder(), bytearray(b"".join(frames))
    it.expect(promised)
    half = sum(map(len, frames[:2_000]))
    it.feed(data[:half], half, False)
    it.feed(data[half:], len(data) - half, True)
    found = {tag: [np.frombuffer(a) for a in arrays] for tag, *arrays in it.take()}
    for tag, wanted in ((b"early", False), (b"late", True)):
        steps = [i for i, late in enumerate(turns) if late == wanted]
        step, value, wall = found[tag]
        assert step.view(np.int64).tolist() == steps
        assert value.tolist() == steps
        assert wall.tolist() == [i + 2.0 for i in steps]


@both
def test_columns_outlive_the_decoder_and_later_points(decoder):
    it = decoder()
    first, second = bytearray(LOG[0]), bytearray(LOG[1])
    it.feed(first, len(first), False)
    ((_, step, value, _),) = it.take()
    held = np.frombuffer(step, np.int64), np.frombuffer(value)
    it.feed(second, len(second), True)
    ((_, later, _, _),) = it.take()
    del it, step, value
    assert [a.tolist() for a in held] == [[0], [0.5]]
    assert np.frombuffer(later, np.int64).tolist() == [1]


@both
@pytest.mark.parametrize("byte", [0, 255])
def test_a_header_of_one_byte_repeated_is_no_record(decoder, byte):
    """The header that is remembered from the record before must not let such a one pass."""
    for before in (b"", LOG[0], frame(b"")):
        decoded = decode(decoder, before + bytes([byte]) * 40 + LOG[1])
        assert decoded[2] == bool(before) + 1
        assert decoded[4][0][1] == [(len(before), len(before) + 40)]


@compiled
def test_the_checksum_by_tables_and_by_instruction():
    rng = random.Random(3)
    for size in (0, 1, 7, 8, 9, 63, 1000):
        data = bytearray(rng.randbytes(size))
        by_table = _native.crc32c(data, size, True)
        assert by_table == _native.crc32c(data, size)
        mask = ((by_table >> 15 | by_table << 17) + 0xA282EAD8) & 0xFFFFFFFF
        assert mask == slow_crc(bytes(data))
