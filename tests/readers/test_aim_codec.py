"""The parts of the AIM reader that need no repository: codec, write-ahead log, columns, names."""

import importlib.util
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainlens.readers._aim import wal as wal
from trainlens.readers._aim.cells import CELL, aligned_points, cells_of, joined_points, part_of
from trainlens.readers._aim.codec import (
    END,
    context_number,
    decode_path,
    decode_tree,
    decode_value,
    encode_path,
)
from trainlens.readers._aim.meta import Meta, column_name, config_of
from trainlens.readers._aim.table import without_deletions

INT64 = st.integers(-(2**63), 2**63 - 1)
PATHS = st.lists(st.text(min_size=1, max_size=8) | INT64, max_size=6)


@given(PATHS)
def test_paths_survive(path):
    assert decode_path(encode_path(*path)) == path


@given(st.binary(max_size=60))
def test_any_key_and_value_decode_or_give_none(raw):
    path = decode_path(raw)
    assert path is None or all(isinstance(part, (int, str)) for part in path)
    decode_value(raw)
    decode_tree([(raw, raw), (raw + END, raw)])


@pytest.mark.skipif(importlib.util.find_spec("aim") is None, reason="the AIM SDK is missing")
@pytest.mark.filterwarnings("ignore")  # What AIM's own imports warn about is not ours.
def test_codec_equals_aim_itself():
    from aim.storage.encoding import decode, encode
    from aim.storage.encoding import encode_path as aim_path
    from aim.storage.hashing import hash_auto
    from aim.storage.treeutils import encode_tree

    path = ("meta", -5, "Größe 学", 2**62)
    assert encode_path(*path) == aim_path(path)
    for value in (None, True, False, 0, -7, 2**60, 0.1, math.inf, "ß", ""):
        assert decode_value(encode(value)) == decode(encode(value)) == value
    for context in ({}, {"subset": "train"}, {"ключ": "значение"}):
        assert context_number(context) == hash_auto(context)
    tree = {"a": {"b": [1, [2.5, None], {"c": "x"}], "e": {}, "l": []}, "f": {3: "three"}}
    assert decode_tree(encode_tree(tree)) == tree


def test_a_context_of_several_entries_has_no_computed_number():
    with pytest.raises(ValueError, match="several entries"):
        context_number({"a": "b", "c": "d"})


def test_a_path_deeper_than_any_configuration_is_kept_as_text():
    tree = decode_tree([(encode_path(*["a"] * 5000), b"\x02" + bytes(8))])
    depth = 0
    while isinstance(tree, dict):
        depth, tree = depth + 1, next(iter(tree.values()))
    assert (depth, tree) == (64, 0)


BATCHES = st.lists(st.binary(max_size=90), min_size=1, max_size=12)


def log_of(contents):
    records = [wal.BATCH.pack(i, 1) + content for i, content in enumerate(contents)]
    return records, wal.rewrite(records)


@given(BATCHES)
def test_a_written_log_reads_back(contents):
    records, log = log_of(contents)
    for verify in (False, True):
        found = wal.scan(log, verify)
        assert found.records == records
        assert (found.operations, found.broken, found.torn) == (len(records), [], None)


def test_records_across_blocks():
    records, log = log_of([bytes(1000) * (i % 90) for i in range(40)])
    assert len(log) > 20 * wal.BLOCK
    assert wal.scan(log).records == records


@settings(deadline=None)
@given(BATCHES, st.data())
def test_a_cut_log_keeps_the_records_before_the_cut(contents, data):
    records, log = log_of(contents)
    size = data.draw(st.integers(0, len(log)))
    found = wal.scan(log[:size])
    ends = [end for _, end in wal.scan(log).spans]
    assert found.records == records[: sum(end <= size for end in ends)]
    assert (found.torn is None) == (size in (0, *ends))


@settings(deadline=None)
@given(BATCHES, st.data())
def test_a_damaged_log_loses_only_the_record_that_was_hit(contents, data):
    records, log = log_of(contents)
    at = data.draw(st.integers(0, len(log) - 1))
    noise = data.draw(st.binary(min_size=1, max_size=20))
    if data.draw(st.booleans()):
        damaged = log[:at] + noise + log[at:]
    else:
        damaged = log[:at] + bytes([log[at] ^ 0x11]) + log[at + 1 :]
    kept = wal.scan(damaged, verify=True).records
    spans = wal.scan(log).spans
    untouched = [r for r, (a, b) in zip(records, spans, strict=True) if not a <= at < b]
    assert [r for r in kept if r in records] == kept
    assert set(untouched) <= set(kept)


def test_a_table_that_is_none():
    assert without_deletions(b"") is None
    assert without_deletions(bytes(5000)) is None


@given(st.lists(st.floats() | INT64 | st.none(), min_size=1))
def test_cells_hold_numbers_exactly(values):
    raw = [
        b"\x00" if v is None else (b"\x02" if isinstance(v, int) else b"\x03") + pack(v)
        for v in values
    ]
    steps = cells_of([b"\x02" + pack(i) for i in range(len(values))])
    points = aligned_points(
        (0, "x"), {"val": cells_of(raw), "step": steps, "time": steps, "epoch": cells_of(raw)}
    )
    expected = [np.nan if v is None else float(v) for v in values]
    np.testing.assert_array_equal(points.value, expected)
    np.testing.assert_array_equal(points.epoch, expected)
    assert points.step.tolist() == list(range(len(values)))


def pack(value):
    return np.array(value, "<i8" if isinstance(value, int) else "<f8").tobytes()


def part(numbers, values):
    cells = np.empty(len(values), CELL)
    cells["kind"], cells["bits"] = 2, values
    return [(np.array(numbers, np.int64), cells)]


def test_points_without_a_step_are_left_out_and_counted():
    columns = {
        "val": part([9, 5, 7], [1, 2, 3]),
        "step": part([5, 7], [50, 70]),
        "time": part([5, 9], [1000, 900]),
        "epoch": part([], []),
    }
    points = joined_points((0, "x"), columns, hashed=True)
    assert points.step.tolist() == [50, 70]
    assert points.value.tolist() == [2, 3]
    np.testing.assert_array_equal(points.time, [1000, np.nan])
    assert np.isnan(points.epoch).all()
    assert points.incomplete == 1


def test_the_old_layout_has_the_step_in_place_of_its_hash():
    columns = {"val": part([3, 1], [30, 10]), "time": part([3, 1], [7, 8]), "epoch": []}
    points = joined_points((0, "x"), columns, hashed=False)
    assert (points.step.tolist(), points.value.tolist()) == ([3, 1], [30, 10])
    assert points.time.tolist() == [7, 8]


def test_steps_that_are_no_whole_numbers():
    steps = cells_of([b"\x03" + pack(v) for v in (1.0, 2.6, math.nan, math.inf)])
    cells = cells_of([b"\x02" + pack(i) for i in range(4)])
    points = aligned_points((0, "x"), {"val": cells, "step": steps, "time": cells, "epoch": cells})
    assert points.step.tolist() == [1, 3]
    assert points.incomplete == 2


def test_parts_of_objects_are_no_points():
    stem = encode_path("c")
    keys = [stem + encode_path(4), stem + encode_path(4, "width")]
    numbers, cells = part_of(len(stem), keys, [b"\x02" + pack(1), b"\x02" + pack(640)])
    assert (numbers.tolist(), len(cells)) == ([4], 1)


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({}, ("loss", None)),
        ({"subset": "val"}, ("loss", "val")),
        ({"subset": "holdout"}, ("loss", "holdout")),
        ({"phase": "Eval", "gpu": 0}, ("loss{gpu=0}", "Eval")),
        ({"mode": "fast"}, ("loss{mode=fast}", None)),
        ({"b": {"d": 2, "c": 1}, "a": "x"}, ("loss{a=x,b.c=1,b.d=2}", None)),
        ({"subset": 3}, ("loss{subset=3}", None)),
    ],
)
def test_names_and_splits_of_contexts(context, expected):
    assert column_name("loss", context) == expected


def test_configuration_leaves_the_environment_out():
    system = {"env_variables": {"TOKEN": "secret"}, "packages": {}, "arguments": ["train.py"]}
    meta = Meta(params={"lr": 0.1, "aim": "mine", "__system_params": system}, end_time=5.0)
    config = config_of(meta, "abc", {"name": "n"})
    assert config == {
        "lr": 0.1,
        "aim": "mine",
        "aim_run": {"hash": "abc", "name": "n", "end_time": 5.0, "arguments": ["train.py"]},
    }
