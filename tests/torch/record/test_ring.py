"""Values of a device: every row once, in order, exact, and never a wait in the step path."""

import itertools
import math

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from tests.torch.record.rings import Late, losses, made  # noqa: E402
from tests.torch.syncs import counted  # noqa: E402
from trainlens_torch.record.devices import Devices  # noqa: E402
from trainlens_torch.record.ring import Arrived, DeviceRing  # noqa: E402

DTYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn,
    torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.uint16, torch.uint32,
    torch.bool,
]  # fmt: skip


class Ops(TorchDispatchMode):
    """Names of all operations that run."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen.append(func.__name__.split(".")[0])
        return func(*args, **(kwargs or {}))


NAMES = st.lists(st.text(max_size=8), max_size=12, unique=True)
ROWS = st.builds(
    lambda names, kinds, seed: [
        (name, DTYPES[kind % len(DTYPES)], (seed + i) % 2 if i % 3 else seed % 120)
        for i, (name, kind) in enumerate(zip(names, itertools.cycle(kinds)))
    ],
    NAMES,
    st.lists(st.integers(0, 12), min_size=1, max_size=3),
    st.integers(0, 10_000),
)
ACTS = st.lists(
    st.one_of(
        ROWS,
        st.tuples(st.just("go on"), st.integers(1, 3)),
        st.tuples(st.just("later"), st.floats(0.0, 0.3)),
        st.just("ready"),
        st.just("drain"),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(
    acts=ACTS,
    every=st.integers(1, 7),
    pages=st.integers(1, 4),
    width=st.integers(1, 20),
    backlog=st.integers(1, 30),
)
def test_all_that_was_taken_comes_once_in_order_and_exact(acts, every, pages, width, backlog):
    late = Late()
    ring, clock = made(late, every=every, pages=pages, width=width, backlog=backlog)
    expected, found, refused = [], [], 0
    for step, act in enumerate(acts):
        if act == "ready":
            found += ring.ready()
        elif act == "drain":
            found += ring.drain(timeout=0.01)
        elif act and act[0] == "go on":
            late.go_on(act[1])
        elif act and act[0] == "later":
            clock.now += act[1]
        else:
            tensors = {name: torch.tensor(value).to(dtype) for name, dtype, value in act}
            values = {name: float(tensor) for name, tensor in tensors.items()}
            if ring.put(step, tensors, clock.now, tag=-step):
                expected.append(Arrived(step, clock.now, values, -step))
            else:
                refused += 1
            for tensor in tensors.values():
                tensor.fill_(1)
        assert found == expected[: len(found)]
        assert len(ring) == len(expected) - len(found)
    for _ in range(100):
        late.go_on(99)
        found += ring.drain(timeout=0.01)
    assert found == expected
    assert [list(row.values) for row in found] == [list(row.values) for row in expected]
    assert ring.dropped == refused


def test_no_value_is_read_by_the_host_in_thousands_of_steps():
    ring = DeviceRing("cpu", every=16)
    found = []
    with counted() as mode:
        total = torch.zeros(())
        for step in range(4000):
            total += 1.0
            assert ring.put(step, {"sum": total, "half": total / 2}, time=float(step))
            if step % 10 == 0:
                found += ring.ready()
        found += ring.drain()
    assert mode.count == 0
    assert found == [
        Arrived(k, float(k), {"sum": k + 1.0, "half": (k + 1) / 2}, None) for k in range(4000)
    ]


def test_the_step_path_allocates_nothing_once_its_pages_are_there():
    ring = DeviceRing("cpu", every=4, pages=2)
    one, two = losses(1, 5), losses(2, 3)
    for _ in range(20):
        ring.put(0, one, 0.0)
        ring.put(0, two, 0.0)
    with Ops() as ops:
        for step in range(40):
            ring.put(step, one, 0.0)
            ring.put(step, two, 0.0)
    assert ops.seen.count("_foreach_copy_") == 80
    assert set(ops.seen) == {"_foreach_copy_", "slice", "copy_"}


def test_tensors_of_one_dtype_are_one_operation():
    ring = DeviceRing("cpu")
    mixed = {**losses(1, 4), "count": torch.tensor(3), "seen": torch.tensor(4)}
    with Ops() as ops:
        ring.put(0, mixed, 0.0)
    assert ops.seen.count("_foreach_copy_") == 2


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype_keeps_its_value(dtype):
    tensor = torch.tensor(1.0).to(dtype)
    ring = DeviceRing("cpu")
    ring.put(0, {"x": tensor, "row": tensor.reshape(1, 1)}, 0.0)
    assert ring.drain()[0].values == {"x": 1.0, "row": 1.0}


def test_values_that_are_hard_to_keep():
    given = {
        "nan": math.nan, "inf": math.inf, "low": -math.inf, "zero": -0.0, "tenth": 0.1,
        "least": 5e-324, "most": 1.7976931348623157e308,
    }  # fmt: skip
    ring = DeviceRing("cpu")
    tensors = {name: torch.tensor(value, dtype=torch.float64) for name, value in given.items()}
    tensors["whole"] = torch.tensor(2**53)
    ring.put(0, tensors, 0.0)
    values = ring.drain()[0].values
    assert {name: repr(value) for name, value in values.items()} == {
        **{name: repr(value) for name, value in given.items()},
        "whole": repr(float(2**53)),
    }


def test_rows_of_ten_thousand_values():
    ring, _ = made(every=4, pages=2)
    small, large = losses(1), losses(0, 10_000)
    for step in range(9):
        assert ring.put(step, large if step % 3 == 1 else small, 0.0)
    rows = [*ring.ready(), *ring.drain()]
    assert [len(row.values) for row in rows] == [1, 10_000, 1] * 3
    assert list(rows[1].values.items()) == [(f"loss{i}", float(i)) for i in range(10_000)]


def test_memory_that_is_written_again_each_step_as_by_a_cuda_graph():
    ring = DeviceRing("cpu", every=3)
    loss = torch.zeros(())
    for step in range(10):
        loss.fill_(step)
        ring.put(step, {"loss": loss}, 0.0)
    loss.fill_(-1)
    assert [row.values["loss"] for row in [*ring.ready(), *ring.drain()]] == list(range(10))


def test_gradients_are_left_alone():
    weight = torch.nn.Parameter(torch.tensor(3.0))
    loss = weight * 2
    ring = DeviceRing("cpu")
    ring.put(0, {"loss": loss, "weight": weight}, 0.0)
    loss.backward()
    assert weight.grad == 2.0
    row = ring.drain()[0]
    assert row.values == {"loss": 6.0, "weight": 3.0}


def test_a_ring_works_within_inference_mode_and_after_it():
    ring, _ = made(every=2)
    with torch.inference_mode():
        inside = torch.tensor(1.0)
        ring.put(0, {"x": inside}, 0.0)
    ring.put(1, {"x": inside}, 0.0)
    ring.put(2, losses(2), 0.0)
    with torch.inference_mode():
        ring.put(3, {"x": torch.tensor(3.0)}, 0.0)
    rows = ring.drain()
    assert [next(iter(row.values.values())) for row in rows] == [1.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        (torch.zeros((), device="meta"), "'bad' is on meta, the ring on cpu"),
        (torch.zeros(2), r"'bad' has shape \(2,\)"),
        (torch.zeros(0), r"'bad' has shape \(0,\)"),
        (torch.zeros((), dtype=torch.complex64), "'bad' is complex"),
    ],
)
def test_what_is_no_metric_is_refused_before_anything_is_taken(tensor, words):
    ring = DeviceRing("cpu")
    with pytest.raises(ValueError, match=words):
        ring.put(0, {"good": torch.tensor(1.0), "bad": tensor}, 0.0)
    assert ring.put(1, losses(5), 0.0)
    assert [(row.step, row.values) for row in ring.drain()] == [(1, {"loss0": 5.0})]


@pytest.mark.parametrize("name", ["every", "pages", "width", "backlog"])
def test_sizes_below_one_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be 1 or more, not 0"):
        DeviceRing("cpu", **{name: 0})


def test_entries_of_a_logger_get_their_own_values():
    devices = Devices()
    arriving = [
        devices.put(step, 0.0, {"x": torch.tensor(step)}, {"x": torch.tensor(-step)})
        for step in range(5)
    ]
    assert arriving[0].take(wait=False) is None
    devices.drain()
    assert [entry.take(wait=False) for entry in arriving] == [
        ({"x": float(step)}, {"x": float(-step)}) for step in range(5)
    ]
