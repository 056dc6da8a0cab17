"""The device ring on CUDA: the order of its calls, and the device itself where there is one."""

import threading
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from trainlens_torch.record import _ring_transport  # noqa: E402 - after the skip
from trainlens_torch.record._ring_capture import exchange_of, lenient  # noqa: E402
from trainlens_torch.record._ring_transport import CudaTransport, PlainTransport  # noqa: E402
from trainlens_torch.record.ring import DeviceRing  # noqa: E402

on_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


class Event:
    def __init__(self):
        self.done = False

    def query(self):
        return self.done


class Stream:
    """Notes what it is told; `name` stands for its place."""

    def __init__(self, name, told):
        self.name, self.told = name, told
        self.cuda_stream = hash(name)

    def record_event(self, event=None):
        self.told.append(("records", self.name))
        event = event or Event()
        event.done = False
        return event

    def wait_event(self, event):
        self.told.append(("waits", self.name))


class Cuda:
    """What the transport calls of `torch.cuda`, on the CPU."""

    def __init__(self):
        self.told = []
        self.now = Stream("main", self.told)
        self.capturing = False

    def Stream(self, device):
        return Stream("side", self.told)

    def current_stream(self, device):
        return self.now

    def is_current_stream_capturing(self):
        return self.capturing

    @contextmanager
    def stream(self, stream):
        self.told.append(("copies", stream.name))
        yield


def empty(width, *, dtype, device, pin_memory=False):
    tensor = torch.zeros(width, dtype=dtype)
    tensor.record_stream = lambda stream: None
    return tensor


@pytest.fixture
def cuda(monkeypatch):
    cuda = Cuda()
    shim = SimpleNamespace(cuda=cuda, empty=empty, float64=torch.float64, device=torch.device)
    monkeypatch.setattr(_ring_transport, "torch", shim)
    return cuda


def values(number):
    return {"x": torch.tensor(float(number))}


def test_a_copy_waits_for_what_filled_its_page(cuda):
    ring = DeviceRing("cpu", every=2, transport=CudaTransport(torch.device("cpu")))
    ring.put(0, values(0), 0.0)
    ring.put(1, values(1), 0.0)
    assert cuda.told == [
        ("records", "main"), ("records", "main"), ("records", "main"),
        ("waits", "side"), ("copies", "side"), ("records", "side"),
    ]  # fmt: skip
    assert ring.ready() == []
    ring._pool._flying[0].sent.done = True
    # The host may ask from its own thread where the library has the mode for it.
    assert [row.values["x"] for row in ring.ready()] == [0.0, 1.0]


def test_a_second_stream_waits_for_the_page_and_is_waited_for(cuda):
    ring = DeviceRing("cpu", every=2, transport=CudaTransport(torch.device("cpu")))
    ring.put(0, values(0), 0.0)
    cuda.now = Stream("other", cuda.told)
    cuda.told.clear()
    ring.put(1, values(1), 0.0)
    assert cuda.told == [
        ("waits", "other"), ("records", "other"),
        ("waits", "side"), ("waits", "side"), ("copies", "side"), ("records", "side"),
    ]  # fmt: skip


def test_a_captured_stream_is_told_nothing(cuda):
    ring = DeviceRing("cpu", every=1, transport=CudaTransport(torch.device("cpu")))
    ring.put(0, values(0), 0.0)
    cuda.capturing = True
    cuda.told.clear()
    with pytest.raises(RuntimeError, match="captured"):
        ring.put(1, values(1), 0.0)
    assert (ring.ready(), cuda.told) == ([], [])


def test_the_mode_of_a_thread_is_changed_for_a_question_only():
    modes = [0]

    def exchange(pointer):
        modes.append(pointer._obj.value)
        pointer._obj.value = modes[-2]
        return 0

    with pytest.raises(OSError, match="device"), lenient(exchange):
        raise OSError("device")
    assert modes == [0, 1, 0]


@pytest.mark.skipif(torch.version.cuda is not None, reason="this torch has a CUDA runtime")
def test_without_a_cuda_runtime_there_is_no_mode_to_change():
    assert exchange_of() is None


def test_the_cpu_needs_no_streams():
    assert isinstance(_ring_transport.transport_of(torch.device("cpu")), PlainTransport)


@on_cuda
def test_no_step_waits_for_the_device():
    ring = DeviceRing("cuda", every=16)
    loss = torch.zeros((), device="cuda")
    count = torch.zeros((), dtype=torch.int64, device="cuda")
    ring.put(-1, {"loss": loss, "count": count}, 0.0)
    ring.drain()
    found = []
    torch.cuda.set_sync_debug_mode("error")
    try:
        for step in range(1000):
            loss += 0.5
            count += 1
            assert ring.put(step, {"loss": loss, "count": count}, float(step))
            found += ring.ready()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    found += ring.drain()
    assert [(row.step, row.values) for row in found] == [
        (k, {"loss": (k + 1) / 2, "count": k + 1.0}) for k in range(1000)
    ]


@on_cuda
def test_outputs_of_a_graph_are_kept_between_replays():
    loss = torch.zeros((), device="cuda")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss += 1
    loss.zero_()
    ring = DeviceRing("cuda", every=8)
    for step in range(200):
        graph.replay()
        ring.put(step, {"loss": loss}, 0.0)
    rows = [*ring.ready(), *ring.drain()]
    assert [row.values["loss"] for row in rows] == [k + 1.0 for k in range(200)]


@on_cuda
def test_a_capture_survives_a_thread_that_asks_meanwhile():
    ring, done, found = DeviceRing("cuda", every=4, max_age=0.0001), threading.Event(), []
    assert torch.version.hip is not None or exchange_of() is not None
    x = torch.ones(64, 64, device="cuda")
    (x @ x).sum()

    def ask():
        while not done.wait(0.0001):
            found.extend(ring.ready())

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for step in range(100):
            ring.put(step, {"x": x[0, 0]}, 0.0)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                (x @ x).sum()
                with pytest.raises(RuntimeError, match="captured"):
                    ring.put(step, {"x": x[0, 0]}, 0.0)
            graph.replay()
    finally:
        done.set()
        asking.join(10)
    found += ring.drain()
    assert [row.step for row in found] == list(range(100))


@on_cuda
def test_puts_of_two_streams():
    ring, other = DeviceRing("cuda", every=4), torch.cuda.Stream()
    here, there = torch.zeros((), device="cuda"), torch.zeros((), device="cuda")
    other.wait_stream(torch.cuda.current_stream())
    for step in range(0, 100, 2):
        here += 1
        ring.put(step, {"x": here}, 0.0)
        with torch.cuda.stream(other):
            there -= 1
            ring.put(step + 1, {"x": there}, 0.0)
    rows = [*ring.ready(), *ring.drain()]
    expected = [sign * (k + 1.0) for k in range(50) for sign in (1, -1)]
    assert [row.values["x"] for row in rows] == expected
