"""Batches of any structure are cut along their samples, and nothing is lost."""

import types
from collections import OrderedDict, defaultdict, namedtuple

import pytest

torch = pytest.importorskip("torch")

from trainlens.errors import UsageError  # noqa: E402 - after the skip
from trainlens_torch.memory.free import free_memory, share_in_use  # noqa: E402
from trainlens_torch.memory.pieces import count, cut  # noqa: E402

Pair = namedtuple("Pair", "x y")
X = torch.arange(10).reshape(5, 2)
NAMES = ["a", "b", "c", "d", "e"]


def same(ours, theirs):
    if isinstance(theirs, torch.Tensor):
        return torch.equal(ours, theirs)
    if type(ours) is not type(theirs):
        return False
    if isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in ours)
    if isinstance(theirs, list | tuple):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return bool(ours == theirs)


@pytest.mark.parametrize(
    ("batch", "second"),
    [
        (X, X[2:]),
        ((X, NAMES), (X[2:], NAMES[2:])),
        ([X, X[:, 0]], [X[2:], X[2:, 0]]),
        (Pair(X, "train"), Pair(X[2:], "train")),
        ({"x": X, "names": tuple(NAMES), "inner": {"y": X}},
         {"x": X[2:], "names": tuple(NAMES[2:]), "inner": {"y": X[2:]}}),
        ((X, torch.tensor(3.0), None, 7), (X[2:], torch.tensor(3.0), None, 7)),
        ((X, ["only", "four", "of", "them"]), (X[2:], ["only", "four", "of", "them"])),
        (OrderedDict(x=X), OrderedDict(x=X[2:])),
        (defaultdict(list, x=X), defaultdict(list, x=X[2:])),
        (types.MappingProxyType({"x": X}), {"x": X[2:]}),
    ],
)  # fmt: skip
def test_pieces(batch, second):
    assert count(batch) == 5
    first, found = cut(batch, [2, 3])
    assert same(found, second)
    assert count(first) == 2


def test_one_piece_is_the_batch_itself_and_others_are_views():
    assert cut(X, [5])[0] is X
    assert cut(X, [2, 3])[1].data_ptr() == X[2:].data_ptr()


@pytest.mark.parametrize(
    ("batch", "says"),
    [
        (torch.tensor(1.0), "no tensor whose first dimension"),
        ({"x": 3}, "no tensor whose first dimension"),
        ((X, X[:3]), r"differ in their first dimension \(3, 5\).*count="),
    ],
)
def test_what_cannot_be_counted_is_told(batch, says):
    with pytest.raises(UsageError, match=says):
        count(batch)


def test_unreachable_objects_are_freed():
    class Node:
        pass

    a, b = Node(), Node()
    a.other, b.other = b, a
    del a, b
    assert free_memory().objects >= 2
    assert share_in_use(torch.device("cpu")) is None
