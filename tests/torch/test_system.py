"""Readings of the machine, times of steps, and what is said about them."""

import math
import os
import sys
import threading
import types

import pytest

torch = pytest.importorskip("torch")

import trainlens  # noqa: E402
from trainlens.roles import role_of  # noqa: E402
from trainlens_torch.record.jsonl import JsonlSink  # noqa: E402
from trainlens_torch.system import SystemMonitor, gpu, host, is_out_of_memory  # noqa: E402
from trainlens_torch.system.advice import advice  # noqa: E402
from trainlens_torch.system.times import Times  # noqa: E402

BOUND = 20.0
OOM = RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB\nmore lines")


class Clock:
    """Time that passes when it is told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def wait(self, seconds):
        self.now += seconds


def threads():
    return [t for t in threading.enumerate() if t.name == "trainlens-system"]


def quiet(**more):
    """A monitor whose thread reads once and then stands still until it is closed."""
    return SystemMonitor(every=1e6, **{"readers": (), **more})


def test_the_host_is_read_and_makes_sense(tmp_path):
    with SystemMonitor(every=1e6, folder=tmp_path) as system:
        found = system.read()
    assert found["ram_total_gib"] > 0
    assert 0 < found["cpu_memory_gib"] < found["ram_total_gib"]
    assert 0 <= found["ram_percent"] <= 100
    assert found["disk_free_gib"] >= 0
    assert system.errors == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the files of Linux")
def test_without_psutil_the_standard_library_tells_as_much():
    psutil = pytest.importorskip("psutil")
    plain = host.host_reader(False)()
    rich = host.host_reader(psutil)()
    assert plain.keys() - {"cpu_usage_percent"} == rich.keys() - {"cpu_percent"}
    assert plain["ram_total_gib"] == pytest.approx(rich["ram_total_gib"])
    assert plain["cpu_memory_gib"] == pytest.approx(rich["cpu_memory_gib"], rel=0.2)


def test_a_system_without_these_files_has_no_readings(monkeypatch):
    monkeypatch.setattr(host, "_lines", lambda path: [])
    assert host.host_reader(False)().keys() <= {"cpu_usage_percent"}
    assert host.disk("/no/such/folder/anywhere") == {}


def test_the_names_are_those_that_trainlens_reads():
    roles = {
        "gpu_memory_gib": ("gpu-memory", "GiB"),
        "gpu_memory_allocated_gib": ("gpu-memory", "GiB"),
        "gpu_memory_total_gib": ("memory-limit", "GiB"),
        "gpu_util_percent": ("gpu-usage", "%"),
        "alloc_retries": ("memory-retries", ""),
        "num_ooms": ("out-of-memory", ""),
        "data_time": ("data-time", "s"),
        "batch_time": ("batch-time", "s"),
        "samples_per_sec": ("throughput", "samples/s"),
        "tokens_per_sec": ("throughput", "tokens/s"),
        "ram_percent": ("system", "%"),
        "cpu_percent": ("system", "%"),
        "cpu_usage_percent": ("system", "%"),
        "cpu_memory_gib": ("system", "GiB"),
        "disk_free_gib": ("system", "GiB"),
    }
    assert {name: (role_of(name).name, role_of(name).unit) for name in roles} == roles


def test_each_reading_is_given_once_and_the_times_of_each_step():
    clock = Clock()
    read = iter(range(100))
    with quiet(readers=[lambda: {"ram_percent": float(next(read))}], clock=clock) as system:
        system.stats()  # whatever the thread has read by now
        last = system.read()
        with system.data():
            clock.wait(1.0)
        clock.wait(3.0)
        system.step(samples=8, tokens=400)
        assert system.stats() == {
            **last, "batch_time": 4.0, "data_time": 1.0,
            "samples_per_sec": 2.0, "tokens_per_sec": 100.0,
        }  # fmt: skip
        assert system.stats() == {}


def test_times_of_a_loader():
    clock = Clock()
    times = Times(clock)

    def batches():
        for i in range(3):
            clock.wait(2.0)
            yield i

    seen = []
    for batch in times.timed(batches()):
        clock.wait(6.0)
        seen.append((batch, times.step(samples=16)))
        clock.wait(100.0) if batch == 2 else None
    want = {"batch_time": 8.0, "data_time": 2.0, "samples_per_sec": 2.0}
    assert seen == [(i, want) for i in range(3)]
    assert times.usual() == (8.0, 0.25)
    clock.wait(1000.0)  # an evaluation: no step
    assert times.step() == {}


def test_accumulated_batches_and_pauses():
    clock = Clock()
    times = Times(clock)
    assert times.usual() is None
    assert times.step() == {}  # where it began is not known
    for _ in range(2):
        with times.data():
            clock.wait(1.0)
        clock.wait(1.0)
    assert times.step() == {"batch_time": 4.0, "data_time": 2.0}
    times.pause()
    clock.wait(500.0)
    with times.data():
        clock.wait(1.0)
    assert times.step()["batch_time"] == 1.0
    clock.now -= 50.0
    assert times.step() == {}


def test_a_loader_that_fails_says_so_itself():
    def broken():
        yield 1
        raise OSError("disk")

    times = Times(Clock())
    with pytest.raises(OSError, match="disk"):
        list(times.timed(broken()))


def test_the_thread_reads_at_every_interval_and_ends():
    slept, made, done = [], threading.Event(), threading.Event()

    def sleep(seconds):
        assert made.wait(BOUND)
        slept.append(seconds)
        if len(slept) >= 3:
            done.set()
            system.close()  # from the thread itself: it must not wait for itself

    counted = []
    system = SystemMonitor(every=7.0, sleep=sleep, readers=[lambda: counted.append(1) or {}])
    made.set()
    assert done.wait(BOUND)
    system._thread.join(BOUND)
    assert not system._thread.is_alive()
    assert slept == [7.0] * 3
    assert len(counted) == 3


def test_close_does_not_wait_for_the_interval():
    before = len(threads())
    system = quiet()
    assert len(threads()) == before + 1
    assert all(t.daemon for t in threads())
    system.close()
    system.close()
    assert len(threads()) == before


def test_a_reader_that_fails_is_left_out_and_counted():
    def broken():
        raise RuntimeError("driver")

    with quiet(readers=[broken, lambda: {"ram_percent": 1.0}]) as system:
        assert system.read() == {"ram_percent": 1.0}
        assert system.errors >= 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_has_a_thread_of_its_own():
    with quiet(readers=[lambda: {"ram_percent": float(os.getpid())}]) as system:
        pid = os.fork()
        if pid == 0:
            system.stats()
            os._exit(0 if system._thread.is_alive() or system.read() else 1)
        assert os.waitpid(pid, 0)[1] == 0
        system._stop.set()


def test_advice():
    assert advice({}) == []
    assert advice({"gpu_memory_gib": 89.0, "gpu_memory_total_gib": 100.0}) == []
    said = advice({"gpu_memory_gib": 91.0, "gpu_memory_total_gib": 100.0})
    assert len(said) == 1
    assert "91 % full: take smaller batches" in said[0]
    assert advice({}, (299.0, 0.1)) == []
    assert "a step takes 301 s: look at the loader" in advice({}, (301.0, 0.1))[0]
    assert "40 % of the time waits for data" in advice({}, (1.0, 0.4))[0]
    rest = advice({"ram_percent": 95.0, "disk_free_gib": 1.0, "num_ooms": 2.0})
    assert len(rest) == 3


def test_errors_of_memory():
    assert is_out_of_memory(OOM)
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    assert not is_out_of_memory(RuntimeError("size mismatch"))
    assert not is_out_of_memory(ValueError("out of memory"))


def test_a_record_that_memory_ran_out():
    with quiet() as system:
        record = system.record_oom(OOM, 12)
        assert tuple(record.values())[:3] == ("out_of_memory", 12, 1)
        assert "Tried to allocate 2.00 GiB" in record["message"]
        assert "\n" not in record["message"]
        assert system.record_oom(MemoryError(), 13)["value"] == 2
        assert system.stats()["num_ooms"] == 2.0
        with pytest.raises(ValueError, match="not an error of memory"):
            system.record_oom(KeyError("x"), 14)
        assert system.stats()["num_ooms"] == 2.0


def logged(path, rows, anomalies=None):
    with JsonlSink(path, clock=lambda: 0.0) as sink:
        for step, stats in enumerate(rows):
            sink.log(
                step, {"loss": 1.0 + math.exp(-step / 50)}, stats,
                anomalies=(anomalies or {}).get(step, ()),
            )  # fmt: skip
    return trainlens.diagnose(trainlens.load_one(path)).results


def statuses(results, rule):
    return {f.status.value for f in results if f.rule == rule}


@pytest.mark.parametrize(("used", "status"), [(40.0, "pass"), (78.0, "fail")])
def test_the_rule_on_memory_reads_what_is_logged(tmp_path, used, status):
    rows = [{"gpu_memory_gib": used, "gpu_memory_total_gib": 80.0} for _ in range(100)]
    assert statuses(logged(tmp_path / "a.jsonl", rows), "memory-pressure") == {status}


@pytest.mark.parametrize(("times", "status"), [(0, "pass"), (2, "fail")])
def test_the_rule_on_running_out_reads_counts_and_records(tmp_path, times, status):
    rows, anomalies = [], {}
    with quiet() as system:
        for step in range(60):
            if step in (20, 40)[:times]:
                anomalies[step] = [system.record_oom(OOM, step)]
            rows.append({"num_ooms": 0.0, **system.stats()})
    results = logged(tmp_path / "a.jsonl", rows, anomalies)
    assert statuses(results, "out-of-memory") == {status}
    if times:
        assert any("2 times" in f.message for f in results if f.rule == "out-of-memory")


@pytest.mark.parametrize(("later", "status"), [(1.0, "pass"), (3.0, "fail")])
def test_the_rules_on_time_read_what_is_logged(tmp_path, later, status):
    clock = Clock()
    times, rows = Times(clock), []
    rng = torch.Generator().manual_seed(0)
    for step in range(300):
        with times.data():
            clock.wait(0.1 * (later if step > 150 else 1.0))
        clock.wait(
            (0.4 + 0.01 * float(torch.rand((), generator=rng))) * (1.0 if step < 150 else later)
        )
        rows.append(times.step(samples=32))
    results = logged(tmp_path / "a.jsonl", rows)
    assert statuses(results, "slow-batch") == {status}
    assert status in statuses(results, "throughput-drop")


def test_arguments():
    with pytest.raises(ValueError, match="every must be above 0"):
        SystemMonitor(every=0)
    with pytest.raises(TypeError, match="every must be a number"):
        SystemMonitor(every="10")


def test_a_device_without_counters_has_no_readings():
    assert gpu.gpu(torch.device("cpu")) == {}


@pytest.fixture
def driver(monkeypatch):
    """A device and a driver that tells its load, but not its power."""

    class Fault(Exception):
        pass

    def refuse(device):
        raise Fault("not supported")

    nvml = types.ModuleType("pynvml")
    nvml.NVMLError = Fault
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    counted = {"allocated_bytes.all.current": 2**31, "num_alloc_retries": 3, "num_ooms": 1}
    answers = {
        "mem_get_info": lambda device: (20 * 2**30, 80 * 2**30),
        "memory_stats": lambda device: counted,
        "utilization": lambda device: 97,
        "temperature": lambda device: 64,
        "power_draw": refuse,
    }
    for name, answer in answers.items():
        monkeypatch.setattr(torch.cuda, name, answer)
    return monkeypatch


MEMORY = {
    "gpu_memory_gib": 60.0,
    "gpu_memory_total_gib": 80.0,
    "gpu_memory_allocated_gib": 2.0,
    "alloc_retries": 3.0,
    "num_ooms": 1.0,
}


def test_what_a_driver_does_not_tell_is_left_out(driver):
    found = gpu.gpu(torch.device("cuda", 0))
    assert found == {**MEMORY, "gpu_util_percent": 97.0, "gpu_temp_c": 64.0}
    with quiet(device="cuda:0") as system:
        assert system.read() == found
        assert system.record_oom(OOM, 5, clean=False)["memory"] == MEMORY
        assert any("ran out 1 time" in line for line in system.advice())


def test_without_the_driver_library_torch_tells_the_memory(driver):
    driver.setitem(sys.modules, "pynvml", None)
    assert gpu.gpu(torch.device("cuda", 0)) == MEMORY


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_is_read():
    block = torch.zeros(2**28, device="cuda")
    with quiet(device="cuda") as system:
        found = system.read()
    assert found["gpu_memory_allocated_gib"] >= 1.0
    assert (
        found["gpu_memory_allocated_gib"]
        <= found["gpu_memory_gib"]
        <= found["gpu_memory_total_gib"]
    )
    assert block.numel() == 2**28
