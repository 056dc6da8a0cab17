"""Batches in any nesting: rebuilt as what they are, moved, and followed to every leaf."""

from collections import OrderedDict, UserDict, UserList, defaultdict, namedtuple
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn.utils.rnn import PackedSequence, pack_sequence  # noqa: E402 - after the skip

from trainlens_torch.data._devices import moved  # noqa: E402
from trainlens_torch.data.nested import leaves, mapped  # noqa: E402

Pair = namedtuple("Pair", "x y")


@dataclass(frozen=True)
class Frozen:
    x: object
    made: object = field(init=False, default=3)


class Named(list):
    pass


class Boxes:
    """A batch of another library, with a method of its own that knows no `non_blocking`."""

    def __init__(self, x):
        self.x = x

    def to(self, device):
        return Boxes(self.x.to(device))


class Encoding(UserDict):
    """A mapping with a method of its own, as the batches of transformers are."""

    def to(self, device, non_blocking=False):
        made = Encoding({k: v.to(device) for k, v in self.data.items()})
        made.moved = True
        return made


def nestings(x):
    return {
        "dict": {"a": x, "b": [x, "text", 3, None]},
        "ordered": OrderedDict(b=x, a=x),
        "default": defaultdict(list, a=x),
        "proxy": UserDict(a=x),
        "tuple": (x, (x, b"bytes")),
        "named": Pair(x, [x]),
        "dataclass": Frozen(x),
        "sequence": UserList([x]),
        "subclass": Named([x]),
        "alone": x,
    }


@pytest.mark.parametrize("kind", nestings(0))
def test_the_same_nesting_with_other_leaves(kind):
    before, after = nestings(1)[kind], nestings(10)[kind]
    made = mapped(before, lambda leaf: 10 if leaf == 1 else leaf)
    assert made == after
    assert type(made) is type(after)
    assert before == nestings(1)[kind]
    assert list(leaves(made)) == [10 if leaf == 1 else leaf for leaf in leaves(before)]


def test_what_a_mapping_has_besides():
    made = mapped(defaultdict(list, a=1), lambda leaf: leaf)
    assert made.default_factory is list
    assert list(mapped(OrderedDict(b=1, a=2), lambda leaf: leaf)) == ["b", "a"]
    assert mapped(MappingProxyType({"a": 1}), lambda leaf: -leaf) == {"a": -1}


@pytest.mark.parametrize("kind", nestings(0))
def test_every_tensor_moves(kind):
    batch = nestings(torch.ones(2))[kind]
    there = moved(batch, torch.device("meta"))
    tensors = [leaf for leaf in leaves(there) if isinstance(leaf, torch.Tensor)]
    assert tensors
    assert all(tensor.is_meta for tensor in tensors)
    rest = [leaf for leaf in leaves(batch) if not isinstance(leaf, torch.Tensor)]
    assert [leaf for leaf in leaves(there) if not isinstance(leaf, torch.Tensor)] == rest


def test_batches_with_a_method_of_their_own():
    meta = torch.device("meta")
    assert moved(Boxes(torch.ones(2)), meta).x.is_meta
    assert moved([Boxes(torch.ones(2))], meta)[0].x.is_meta
    assert moved(Encoding(a=torch.ones(2)), meta).moved
    packed = moved({"p": pack_sequence([torch.ones(3), torch.ones(2)])}, meta)["p"]
    assert isinstance(packed, PackedSequence)
    assert packed.data.is_meta
    held = {"kind": torch.Tensor, "array": np.ones(2)}
    assert moved(held, meta) == held
