"""States as data: exact, shared, and only of what is listed."""

import json
import re
from collections import defaultdict, deque
from pathlib import Path

import numpy as np
import pytest

from trainlens.chunk import Notice
from trainlens.readers._cache.freeze import NotAState, Unfreezable, freeze, thaw
from trainlens.readers._columns import Columns, Key
from trainlens.readers._tfevents import Decoder


def again(value):
    arrays = []
    table = json.loads(json.dumps(freeze(value, arrays)))
    return thaw(table, arrays)


@pytest.mark.parametrize(
    "value",
    [None, True, 1, 1.0, -0.0, 10**40, "a\ud800", b"\0\xff", (1, (2, [])), [1, [2.5]], {1: {"a"}},
     {("a", None): Path("/x")}, frozenset({1}), deque([1, 2], 5), Key("a", None), np.float64(1.5),
     Notice("a", "b", "c", None), re.compile(b"a+", re.I)],
)  # fmt: skip
def test_values_come_back(value):
    found = again(value)
    assert found == value
    assert type(found) is type(value)


def test_what_is_shared_stays_shared():
    inner = [1]
    value = {"a": inner, "b": inner, "c": defaultdict(list, x=[inner])}
    value["self"] = value
    found = again(value)
    assert found["a"] is found["b"] is found["c"]["x"][0]
    assert found["self"] is found
    assert found["c"]["new"] == []


def test_objects_of_readers_go_on():
    columns = Columns()
    columns.add(Key("loss"), np.arange(3), np.arange(3.0))
    (column,) = again(columns).take()
    assert column.name == "loss"
    assert column.value.tolist() == [0, 1, 2]
    bound = again(columns.add)
    assert isinstance(bound.__self__, Columns)


@pytest.mark.parametrize("value", [open, print, lambda: 0, iter([]), object(), np.array([{}])])
def test_anything_else_is_refused(value):
    with pytest.raises(Unfreezable):
        freeze([value], [])


@pytest.mark.parametrize(
    "table",
    [
        [],
        3,
        [["object", "os", "_Environ"]],
        [["name", "os", "system"]],
        [["name", "trainlens.readers._cache.freeze", "re"]],
        [["object", "trainlens.readers._cache.freeze", "re.Pattern"]],
        [["method", "text", "upper"]],
        [["tuple", [0]]],
        [["array", 4]],
        [["pattern", "(", 0]],
        [["at", 0]],
        [["object", "trainlens.chunk", "Notice", "x"]],
    ],
)
def test_what_was_never_frozen_is_refused(table):
    with pytest.raises(NotAState):
        thaw(table, [])


def test_the_decoder_of_event_files_goes_on():
    one, other = Decoder(), Decoder()
    if not hasattr(one, "state"):
        pytest.skip("not compiled: the decoder in Python has no state of its own")
    other.restore(24, 20, 3, 1, [(b"loss", 1), (b"", 0)])
    assert other.state() == (24, 20, 3, 1, [(b"loss", 1), (b"", 0)])
    assert again(other).state() == other.state()
    for bad in ((5, 9, 1, 0, []), (5, 1, 1, 0, 3), (5, 1, 1, 0, [3]), (5, 1, 1, 0, [(b"a", 9)])):
        with pytest.raises((TypeError, ValueError)):
            Decoder().restore(*bad)
    with pytest.raises(ValueError, match="at the beginning"):
        other.restore(24, 20, 3, 1, [])
    assert one.state()[0] == 0
