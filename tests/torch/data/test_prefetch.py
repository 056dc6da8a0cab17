"""The prefetcher: order, errors, ends, position; on CUDA the order of its calls."""

import gc
import subprocess
import sys
import threading
import time
import traceback
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset  # noqa: E402

from trainlens.errors import UsageError  # noqa: E402
from trainlens_torch.data import Prefetcher, _devices  # noqa: E402
from trainlens_torch.data._devices import CudaCarrier  # noqa: E402
from trainlens_torch.state import StateMismatch  # noqa: E402

on_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
WAIT = 60.0


def running():
    return [t for t in threading.enumerate() if t.name == "trainlens-prefetch"]


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    yield
    gc.collect()
    assert running() == []


def until(reached):
    end = time.monotonic() + WAIT
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.001)


class Noting:
    """A loader that notes how far it was asked."""

    def __init__(self, length, error=None):
        self.length, self.error, self.given = length, error, 0

    def __len__(self):
        return self.length

    def __iter__(self):
        self.given = 0
        for number in range(self.length):
            self.given = number + 1
            yield torch.tensor([number])
        if self.error is not None:
            raise self.error


def numbers(batches):
    return [int(batch) for batch in batches]


@pytest.mark.parametrize("depth", [1, 2, 7])
@pytest.mark.parametrize("length", [0, 1, 2, 20])
def test_all_batches_in_order_in_every_pass(depth, length):
    ahead = Prefetcher(Noting(length), depth=depth)
    assert len(ahead) == length
    for epoch in range(3):
        assert numbers(ahead) == list(range(length))
        assert (ahead.epoch, ahead.position) == (epoch, length)


def test_it_fetches_so_far_ahead_and_no_further():
    loader = Noting(20)
    ahead = iter(Prefetcher(loader, depth=3))
    assert int(next(ahead)) == 0
    until(lambda: loader.given == 4)
    time.sleep(0.02)
    assert loader.given == 4  # the first, and three that wait
    next(ahead)
    until(lambda: loader.given == 5)


def test_the_batch_is_made_while_the_loop_works():
    """Each waits for the other: without a second thread neither would come to its end."""
    fetched, worked = threading.Event(), threading.Event()

    def batches():
        yield 0
        assert worked.wait(WAIT)
        fetched.set()
        yield 1

    for number in Prefetcher(Iterable(batches)):
        if number == 0:
            worked.set()
            assert fetched.wait(WAIT)


class Iterable:
    def __init__(self, make):
        self.make = make

    def __iter__(self):
        return self.make()


def test_an_error_comes_in_its_turn_with_its_place():
    ahead = Prefetcher(Noting(5, OSError("disk gone")), depth=3)
    seen = []
    with pytest.raises(OSError, match="disk gone") as caught:
        seen.extend(map(int, ahead))
    assert seen == list(range(5))
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names[-1] == "__iter__"  # of the loader
    assert ahead.position == 5
    ahead.loader.error = None
    assert numbers(ahead) == list(range(5))


def test_an_error_of_the_first_batch_and_of_a_data_set():
    with pytest.raises(OSError, match="at once"):
        list(Prefetcher(Noting(0, OSError("at once"))))

    class Rows(Dataset):
        def __len__(self):
            return 8

        def __getitem__(self, index):
            if index == 5:
                raise KeyError("row 5")
            return index

    with pytest.raises(KeyError, match="row 5"):
        list(Prefetcher(DataLoader(Rows(), batch_size=2)))


def interrupted(loader):
    for _ in loader:
        raise KeyboardInterrupt


def test_a_loop_that_breaks_off_ends_the_thread():
    for _ in Prefetcher(Noting(20)):
        break
    until(lambda: not running())
    ahead = Prefetcher(Noting(20))
    with pytest.raises(KeyboardInterrupt):
        interrupted(ahead)
    gc.collect()
    until(lambda: not running())
    assert numbers(ahead) == list(range(20))


def test_an_iterator_that_is_forgotten_ends_its_thread():
    ahead = iter(Prefetcher(Noting(20)))
    next(ahead)
    assert len(running()) == 1
    del ahead
    gc.collect()
    until(lambda: not running())


def test_a_new_pass_ends_the_one_before():
    ahead = Prefetcher(Noting(20))
    first = iter(ahead)
    next(first)
    second = iter(ahead)
    assert len(running()) == 1
    assert list(first) == []
    assert numbers(second) == list(range(20))
    assert (ahead.epoch, ahead.position) == (0, 20)


def test_close_may_be_repeated():
    ahead = Prefetcher(Noting(20))
    one = iter(ahead)
    next(one)
    ahead.close()
    ahead.close()
    assert running() == []
    assert list(one) == []


def test_nothing_hangs_at_the_end_of_the_process(tmp_path):
    """With an iterator that somebody still holds."""
    code = (
        "import torch, itertools\n"
        "from trainlens_torch.data import Prefetcher\n"
        "one = iter(Prefetcher(itertools.repeat(torch.ones(1))))\n"
        "print(next(one).item())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1.0\n", "")


@pytest.mark.parametrize("at", range(7))
def test_resuming_fetches_again_what_the_loop_had(at):
    stopped = Prefetcher(Noting(6), depth=3)
    one = iter(stopped)
    for _ in range(at):
        next(one)
    state = stopped.state_dict()
    assert state["position"] == at
    again = Prefetcher(Noting(6), depth=2)
    again.load_state_dict(state)
    assert numbers(again) == list(range(at, 6))
    assert again.position == 6
    assert numbers(again) == list(range(6))
    assert again.epoch == 1
    stopped.close()


def test_a_finished_pass_is_followed_by_the_next():
    ahead = Prefetcher(Noting(3))
    list(ahead)
    again = Prefetcher(Noting(3))
    again.load_state_dict(ahead.state_dict())
    assert numbers(again) == [0, 1, 2]
    assert again.epoch == 1
    told = Prefetcher(Noting(3))
    told.load_state_dict(ahead.state_dict())
    told.set_epoch(0)
    assert numbers(told) == []


def test_a_state_of_something_else_is_refused():
    ahead = Prefetcher(Noting(3))
    with pytest.raises(StateMismatch, match="no saved state of a Prefetcher"):
        ahead.load_state_dict({})
    state = ahead.state_dict() | {"config": {"sampler": True}}
    with pytest.raises(StateMismatch, match="sampler was True, is False"):
        ahead.load_state_dict(state)


def test_the_epoch_reaches_sampler_and_data_set():
    told = []

    class Rows(IterableDataset):
        def set_epoch(self, epoch):
            told.append(epoch)

        def __iter__(self):
            yield from range(4)

    ahead = Prefetcher(DataLoader(Rows(), batch_size=2))
    ahead.set_epoch(4)
    assert (told, ahead.epoch) == ([4], 4)
    list(ahead)
    assert ahead.epoch == 4


def test_random_orders_are_those_without_it():
    data = TensorDataset(torch.arange(32))
    for workers in (0, 2):
        seen = []
        for wrap in (lambda loader: loader, Prefetcher):
            torch.manual_seed(5)
            loader = DataLoader(data, batch_size=4, shuffle=True, num_workers=workers)
            seen.append([rows.tolist() for (rows,) in wrap(loader)] + [torch.rand(1).item()])
        assert seen[0] == seen[1]


def test_threads_of_torch_are_as_many_as_before(monkeypatch):
    """In the loop, and in threads that come later; in the prefetcher it is one."""
    told, before = [], torch.get_num_threads()

    def asked():
        torch.ones(100_000).add(1)  # what has a thread ask for its number
        told.append(torch.get_num_threads())

    def batches():
        for _ in range(3):
            asked()
            yield 0

    torch.set_num_threads(3)
    try:
        list(Prefetcher(Iterable(batches)))
        later = threading.Thread(target=asked)
        later.start()
        later.join()
        asked()
    finally:
        torch.set_num_threads(before)
    assert told == [3, 1, 1, 3, 3]


def test_devices_without_streams():
    batches = [{"x": torch.ones(2), "name": "a"}]
    [batch] = Prefetcher(batches, "meta")
    assert batch["x"].is_meta
    assert batch["name"] == "a"


@pytest.mark.parametrize(
    ("loader", "given", "kind", "said"),
    [
        (7, {}, UsageError, "a int is no loader"),
        ([], {"depth": 0}, ValueError, "depth must be 1 or more"),
    ],
)
def test_bad_input(loader, given, kind, said):
    with pytest.raises(kind, match=said):
        Prefetcher(loader, **given)


class Cuda:
    """What the carrier calls of `torch.cuda`, on the CPU, in the order of the calls."""

    def __init__(self):
        self.told = []

    def Stream(self, device):
        return SimpleNamespace(record_event=lambda event: self.told.append("record"))

    def Event(self, blocking):
        assert blocking
        return SimpleNamespace(synchronize=lambda: self.told.append("wait"))

    @contextmanager
    def stream(self, side):
        self.told.append("side stream")
        yield
        self.told.append("back")

    def current_stream(self, device):
        return "loop"


class Fake(torch.Tensor):
    """A tensor that notes what becomes of it."""

    told: list

    @staticmethod
    def made(told):
        one = torch.ones(2).as_subclass(Fake)
        one.told = told
        return one

    def pin_memory(self):
        self.told.append("pin")
        return Fake.made(self.told)

    def is_pinned(self):
        return False

    def to(self, device, non_blocking):
        self.told.append(("copy", non_blocking))
        return Fake.made(self.told)

    @property
    def is_cuda(self):
        return True

    def record_stream(self, stream):
        self.told.append(("used by", stream))


def test_copies_are_awaited_on_the_side_stream_and_known_to_the_allocator(monkeypatch):
    cuda = Cuda()
    monkeypatch.setattr(_devices.torch, "cuda", cuda)
    monkeypatch.setattr(_devices, "exchange_of", lambda: None)
    carrier = CudaCarrier(torch.device("cuda", 0))
    there = carrier.send({"x": Fake.made(cuda.told)})
    # The pinned copy may go only now, and the loader may be asked for the next batch.
    assert cuda.told == ["side stream", "pin", ("copy", True), "record", "wait", "back"]
    cuda.told.clear()
    box = SimpleNamespace(to=nullcontext, x=there["x"], more=[there["x"]])
    carrier.receive({"x": there["x"], "box": box})
    assert cuda.told == [("used by", "loop")] * 3


@on_cuda
def test_batches_arrive_whole_on_a_device():
    rows = [torch.randn(1 << 16) for _ in range(50)]
    for batch, row in zip(Prefetcher(rows, "cuda"), rows, strict=True):
        torch.cuda._sleep(100_000)
        assert torch.equal((batch * 2).cpu(), row * 2)
