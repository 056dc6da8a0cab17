"""Values of a device: every row once, in order, exact, and never a wait in the step path."""

import itertools
import math
import threading

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402 - after the skip
from hypothesis import strategies as st  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from tests.torch.syncs import counted  # noqa: E402
from trainlens_torch.record._ring_transport import PlainTransport  # noqa: E402
from trainlens_torch.record.devices import Devices  # noqa: E402
from trainlens_torch.record.ring import Arrived, DeviceRing  # noqa: E402

CPU = torch.device("cpu")
DTYPES = [
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn,
    torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.uint16, torch.uint32,
    torch.bool,
]  # fmt: skip


class Late(PlainTransport):
    """A device that copies a page at the last moment: when it is told to go on.

    A page that the ring fills again too early arrives with wrong values.
    """

    def __init__(self, done=False):
        super().__init__(CPU)
        self.done = done
        self.sent = []
        self.threads = set()
        self.capturing = False

    def free(self):
        return not self.capturing

    def send(self, page):
        self.threads.add(threading.get_ident())
        self.sent.append((page, page.used))
        if self.done:
            self.go_on(1)

    def go_on(self, count):
        for page, used in self.sent[:count]:
            page.host[:used].copy_(page.device[:used])
        del self.sent[:count]

    def arrived(self, page):
        self.threads.add(threading.get_ident())
        return all(page is not other for other, _ in self.sent)


class Hands:
    """A clock that is set by hand, or by sleeping."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


class Ops(TorchDispatchMode):
    """Names of all operations that run."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen.append(func.__name__.split(".")[0])
        return func(*args, **(kwargs or {}))


def made(transport=None, **more):
    clock = Hands()
    ring = DeviceRing("cpu", clock=clock, sleep=clock.sleep, transport=transport, **more)
    return ring, clock


def losses(value, count=1):
    return {f"loss{i}": torch.tensor(float(value) + i) for i in range(count)}


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


def test_a_device_that_stalls_costs_new_rows_and_never_old_ones():
    late = Late()
    ring, _ = made(late, every=2, pages=3)
    taken = [ring.put(step, losses(step), 0.0) for step in range(10)]
    assert taken == [True] * 6 + [False] * 4
    assert (ring.dropped, len(ring), ring.ready()) == (4, 6, [])
    late.go_on(1)
    assert [row.values["loss0"] for row in ring.ready()] == [0.0, 1.0]
    assert ring.put(10, losses(10), 0.0)
    late.go_on(9)
    late.done = True
    assert [row.step for row in ring.drain()] == [2, 3, 4, 5, 10]
    assert ring.dropped == 4


def test_a_host_that_does_not_look_costs_no_row_up_to_its_bound():
    ring, _ = made(every=2, pages=2, backlog=100)
    taken = [ring.put(step, losses(step), 0.0) for step in range(200)]
    kept = taken.index(False)
    assert 100 <= kept <= 104
    assert not any(taken[kept:])
    assert ring.dropped == 200 - kept
    rows = [*ring.ready(), *ring.drain()]
    assert [(row.step, row.values["loss0"]) for row in rows] == [(k, float(k)) for k in range(kept)]
    assert ring.put(200, losses(200), 0.0)


def test_a_row_does_not_wait_for_others_longer_than_its_age():
    ring, clock = made(every=100, max_age=0.2)
    ring.put(1, losses(1), 0.0)
    clock.now += 0.19
    assert ring.ready() == []
    clock.now += 0.02
    assert [row.step for row in ring.ready()] == [1]
    clock.now += 50.0
    ring.put(2, losses(2), 0.0)
    assert ring.ready() == []


def test_an_age_is_seen_by_the_next_put_as_well():
    late = Late()
    ring, clock = made(late, every=100, max_age=0.2)
    ring.put(1, losses(1), 0.0)
    clock.now += 0.3
    ring.put(2, losses(2), 0.0)
    assert [used for _, used in late.sent] == [2]


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


def test_nothing_touches_the_device_while_this_thread_captures():
    late = Late(done=True)
    ring, _ = made(late, every=2)
    ring.put(0, losses(0), 0.0)
    late.capturing = True
    with pytest.raises(RuntimeError, match="log them after its replay"):
        ring.put(1, losses(1), 0.0)
    late.threads.clear()
    assert (ring.ready(), late.threads, len(ring)) == ([], set(), 1)
    late.capturing = False
    ring.put(2, losses(2), 0.0)
    assert [row.step for row in ring.ready()] == [0, 2]


def test_a_transport_of_one_thread_is_asked_by_the_one_that_puts():
    late = Late(done=True)
    late.anywhere = False
    ring, clock = made(late, every=2, max_age=0.2)
    found = []

    def elsewhere():
        thread = threading.Thread(target=lambda: found.extend(ring.ready()))
        thread.start()
        thread.join(10)

    ring.put(0, losses(0), 0.0)
    clock.now += 9.0
    elsewhere()
    assert found == []
    ring.put(1, losses(1), 0.0)
    elsewhere()
    assert [row.step for row in found] == [0, 1]
    assert late.threads == {threading.get_ident()}


def test_a_device_that_hangs_is_waited_for_no_longer_than_told():
    late = Late()
    ring, clock = made(late, every=2)
    for step in range(5):
        ring.put(step, losses(step), 0.0)
    late.go_on(1)
    start = clock.now
    assert [row.step for row in ring.drain(timeout=3.0)] == [0, 1]
    assert clock.now - start == pytest.approx(3.0, abs=0.01)
    late.go_on(9)
    assert [row.step for row in ring.drain()] == [2, 3, 4]
    assert (ring.drain(), len(ring), ring.dropped) == ([], 0, 0)


def test_a_forked_child_forgets_what_its_parent_will_write():
    late = Late()
    ring, _ = made(late, every=2)
    for step in range(3):
        ring.put(step, losses(step), 0.0)
    ring._lock.acquire()
    ring.forget()
    asked = set(late.threads)
    assert (len(ring), ring.ready(), late.threads) == (0, [], asked)
    ring.put(7, losses(7), 0.0)
    ring.drain(timeout=0.0)
    late.go_on(9)
    assert [row.step for row in ring.drain()] == [7]


def test_one_thread_puts_while_another_takes():
    ring = DeviceRing("cpu", every=8, max_age=0.001, backlog=10_000_000)
    found, done = [], threading.Event()

    def take():
        while not done.wait(0.0005):
            found.extend(ring.ready())

    taker = threading.Thread(target=take)
    taker.start()
    taken = [step for step in range(3000) if ring.put(step, losses(step, 2), float(step))]
    done.set()
    taker.join(10)
    found += ring.drain()
    assert [(row.step, row.time, row.values["loss1"]) for row in found] == [
        (step, float(step), step + 1.0) for step in taken
    ]
    assert ring.dropped == 3000 - len(taken) == 0


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
