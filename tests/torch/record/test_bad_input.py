"""The table of odd and bad input: what each sink makes of it, as trainlens reads it back."""

import math
import os
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")

import trainlens  # noqa: E402
from trainlens_torch.record import text  # noqa: E402
from trainlens_torch.record.entry import Entry  # noqa: E402
from trainlens_torch.record.logger import RunLogger  # noqa: E402

FILES = {"jsonl": "log.jsonl", "csv": "metrics.csv", "text": "log.txt", "tensorboard": "tb"}
_WAIT = 300
MANY = 10_000
TENSORS = {
    "bf16": torch.tensor(0.5, dtype=torch.bfloat16), "f16": torch.tensor(0.25, dtype=torch.float16),
    "int": torch.tensor(7), "int8": torch.tensor([-3], dtype=torch.int8),
    "bool": torch.tensor(True), "graph": torch.tensor(2.0, requires_grad=True) * 2,
}  # fmt: skip
BAD = {
    "vector": torch.zeros(3), "empty": torch.zeros(0), "complex": torch.tensor(1j),
    "meta": torch.zeros((), device="meta"), "word": "0.5", "none": None, "huge": 10**400,
}  # fmt: skip
NAMES = ("a/b", 'q"uote', "new\nline", "tab\t", "com,ma", "äé", "half\ud800", "", "x" * 300)
NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


@pytest.fixture(scope="module", params=FILES)
def logged(request, tmp_path_factory):
    """The sink, its logger, closed, and by name the points that trainlens reads of a run."""
    sink = request.param
    if sink == "tensorboard":
        pytest.importorskip("tensorboard")
    folder = tmp_path_factory.mktemp(sink)
    log = RunLogger(folder, sinks=(sink,))
    log.log(1, NOT_FINITE)
    log.log(200, {"good": 1.0, **BAD})
    log.log(300, TENSORS)
    log.log(400, {name: float(number) for number, name in enumerate(NAMES)})
    log.log(500, {f"many{number}": float(number) for number in range(MANY)})
    log.log(100, {"good": 2.0})  # a step that goes back
    log.close(_WAIT)
    log.log(600, {"good": 3.0})  # the log is closed
    return sink, log, points(folder / FILES[sink])


def points(path):
    if path.suffix == ".txt":
        return words(path)
    run = trainlens.load_one(path)
    assert {notice.kind for notice in run.notices} <= {"event", "attempt", "rewind"}
    return {
        name: list(zip(one.step.tolist(), one.value.tolist(), strict=True))
        for (name, split), one in run.series.items()
        if split == "train"
    }


def words(path):
    """Of a text log, word by word: these names are no training that trainlens would see."""
    found = {}
    for line in path.read_text().splitlines()[1:]:
        step, *pairs = line.split(" ")
        for name, _, value in (pair.rpartition("=") for pair in pairs):
            if name:
                found.setdefault(name, []).append((int(step.removeprefix("step=")), float(value)))
    return found


def shown(sink, name):
    """The name that stands there of what was logged as `name`."""
    name = name.replace("\ud800", "?")
    if sink == "csv":
        return name.replace("\n", r"\x0a").replace("\t", r"\x09") or "_"
    return text.line(Entry(0, 0.0, {name: 0.0}, {})).split()[1][:-6] if sink == "text" else name


def test_every_fault_is_counted_and_no_record_is_lost(logged):
    _, log, _ = logged
    assert log.errors == len(BAD) + 1
    assert log.dropped == 0


@pytest.mark.parametrize("name", NOT_FINITE)
def test_what_is_not_finite_is_kept(logged, name):
    assert str(logged[2][shown(logged[0], name)]) == str([(1, NOT_FINITE[name])])


def test_what_is_no_number_is_left_out(logged):
    assert not set(BAD) & logged[2].keys()


def test_a_step_that_goes_back_is_there_in_its_place(logged):
    assert logged[2]["good"] == [(200, 1.0), (100, 2.0)]


@pytest.mark.parametrize("name", TENSORS)
def test_tensors_of_any_dtype_are_numbers(logged, name):
    assert logged[2][name] == [(300, float(TENSORS[name].detach()))]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_any_kind(logged, name):
    assert logged[2][shown(logged[0], name)] == [(400, float(NAMES.index(name)))]


def test_ten_thousand_names(logged):
    found = [logged[2].get(f"many{number}") for number in range(MANY)]
    shown = MANY if logged[0] != "text" else text.MOST
    assert found[:shown] == [[(500, float(number))] for number in range(shown)]
    assert found[shown:] == [None] * (MANY - shown)


_FORBIDDEN = """
import os, sys
from trainlens_torch.record.logger import RunLogger
with RunLogger(sys.argv[1] + "-before", sinks=(sys.argv[2],)) as log:
    log.log(0, {"loss": 1.0})  # all is imported: the other user may not even read the libraries
if os.geteuid() == 0:
    os.seteuid(65534)
log = RunLogger(sys.argv[1] + "/run", sinks=(sys.argv[2],))
for step in range(10):
    log.log(step, {"loss": 1.0})
log.close(60)
print(log.errors > 0, log.dropped)
try:
    log = RunLogger(sys.argv[1] + "/run", sinks=(sys.argv[2],), strict=True)
    log.log(1, {"loss": 1.0})
    while True:
        log.flush(60)
        log.log(2, {"loss": 1.0})
except OSError as error:
    print(type(error).__name__)
"""


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="there are no permissions of this kind here")
@pytest.mark.parametrize("sink", FILES)
def test_a_folder_that_may_not_be_written(tmp_path, sink):
    if sink == "tensorboard":
        pytest.importorskip("tensorboard")
    (tmp_path / "mine").mkdir(mode=0o555)
    done = subprocess.run(
        [sys.executable, "-c", _FORBIDDEN, str(tmp_path / "mine"), sink],
        timeout=_WAIT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.split("\n") == ["True 10", "PermissionError", ""], done.stderr
    assert done.stderr.count("Permission denied") <= 4
    assert "Permission denied" in done.stderr
    assert list((tmp_path / "mine").iterdir()) == []
