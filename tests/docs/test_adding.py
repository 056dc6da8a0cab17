"""The files that the page about adding shows: put where they belong, and checked as all are."""

import dataclasses
import doctest
import errno
import importlib
import importlib.util
import itertools
import os
import re
import sys

import numpy as np
import pytest

import trainlens
from tests.docs.documents import DOCS, ROOT
from trainlens import plots, readers, rules
from trainlens.readers._find import all_readers
from trainlens.rules import base as rules_base
from trainlens.rules._profiles import profile_rules
from trainlens.stats import formulas

PAGE = (DOCS / "adding.md").read_text("utf-8")
FILES = dict(re.findall(r"<!-- file: (\S+) -->\n```python\n(.*?)^```", PAGE, re.S | re.M))
FORMULAS = dict(re.findall(r"<!-- formula: (\S+) -->\n```python\n(.*?)^```", PAGE, re.S | re.M))


def only(folder):
    """The file of the page that belongs into a folder: its path and its code."""
    (found,) = [(path, code) for path, code in FILES.items() if path.startswith(folder)]
    return found


@pytest.fixture
def add(tmp_path, monkeypatch):
    """Puts the file of the page for a package beside those of the package, and imports it."""
    made = []

    def put(package):
        home = importlib.import_module(package)
        path, code = only(package.replace(".", "/"))
        name = path.rpartition("/")[2].removesuffix(".py")
        folder = tmp_path / "added"
        folder.mkdir()
        (folder / f"{name}.py").write_text(code)
        monkeypatch.setattr(home, "__path__", [*home.__path__, str(folder)])
        made.append((home, name))
        return importlib.import_module(f"{package}.{name}")

    yield put
    for home, name in made:
        sys.modules.pop(f"{home.__name__}.{name}", None)
        vars(home).pop(name, None)


def contract(path):
    """The tests of a file as they stand once the new thing is there."""
    name = "contract_of_" + path.replace("/", "_").removesuffix(".py")
    spec = importlib.util.spec_from_file_location(name, ROOT / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cases(test, name):
    """Calls of a parametrized test that are about a name."""
    sets = []
    for mark in getattr(test, "pytestmark", []):
        if mark.name == "parametrize":
            names = (
                [n.strip() for n in mark.args[0].split(",")]
                if isinstance(mark.args[0], str)
                else mark.args[0]
            )
            rows = [v if len(names) > 1 else (v,) for v in mark.args[1]]
            sets.append([dict(zip(names, row, strict=True)) for row in rows])
    for parts in itertools.product(*sets):
        given = {k: v for part in parts for k, v in part.items()}
        if name in given.values():
            yield given


def run(test, name, **fixtures):
    """Run a test of a contract for a name; how often it ran."""
    held = list(cases(test, name))
    for given in held:
        test(**given, **fixtures)
    return len(held)


def test_the_page_has_a_file_of_each_kind_that_is_not_there_yet():
    folders = {path.rpartition("/")[0] for path in FILES}
    assert folders == {
        "trainlens/readers", "trainlens/rules", "trainlens/plots", "trainlens_torch/schedules",
        "trainlens_torch/record",
    }  # fmt: skip
    assert [path for path in FILES if (ROOT / path).exists()] == []
    assert [path for path, code in FILES.items() if code.count("\n") > 130] == []


# --- a reader ---------------------------------------------------------------------------------


@pytest.fixture
def lab(add):
    all_readers.cache_clear()
    module = add("trainlens.readers")
    yield module
    all_readers.cache_clear()


def test_the_reader_keeps_the_contract_of_readers(lab, tmp_path_factory):
    assert all_readers()[lab.FORMAT] is lab
    checks = contract("tests/contracts/test_readers.py")
    assert run(checks.test_a_reader_module_has_the_contract, lab.FORMAT) == 1
    held = list(cases(checks.test_no_reader_claims_what_is_no_log, lab.FORMAT))
    for given in held:
        checks.test_no_reader_claims_what_is_no_log(**given, tmp_path=tmp_path_factory.mktemp("x"))
    assert len(held) > 5
    checks.test_project_files_are_no_logs(ROOT / "sample_runs")
    checks.test_every_sample_is_read_by_one_reader(ROOT / "sample_runs")


def test_the_example_of_the_reader_gives_what_it_says(lab, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(lab)
    assert (found.failed, found.attempted > 3) == (0, True)


@pytest.mark.parametrize("cut", [1, 7, 40])
def test_the_reader_gives_every_record_once_however_the_log_grows(lab, tmp_path, cut):
    data = b"".join(b"@ %d loss %d.5\n@ %d val/loss nan\n" % (i, i, i) for i in range(9)) + b"@ 9"
    path = tmp_path / "run.lab"
    path.write_bytes(data[:cut])
    reader = lab.open_source(lab.find(path)[0])
    columns, notices = [], []
    for end in [*range(cut, len(data), cut), len(data), len(data)]:
        path.write_bytes(data[:end])
        chunk = reader.poll()
        columns += chunk.columns
        notices += chunk.notices
    assert notices == []
    last = reader.poll(final=True)
    assert [n.lost for n in last.notices] == [1]
    steps = [s for c in columns if c.name == "loss" for s in c.step.tolist()]
    values = [v for c in columns if c.name == "val/loss" for v in c.value.tolist()]
    assert steps == list(range(9))
    assert np.isnan(values).tolist() == [True] * 9


def test_the_reader_is_found_among_the_others(lab, tmp_path):
    (tmp_path / "run.lab").write_text("@ 10 loss 2.5\n@ 20 loss 2.0\n")
    before = (tmp_path / "run.lab").stat()
    (source,) = trainlens.discover(tmp_path / "run.lab")
    assert source.format == "lab"
    after = (tmp_path / "run.lab").stat()
    assert (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)
    assert readers.load(tmp_path / "run.lab")[0].points == 2


# --- a rule -----------------------------------------------------------------------------------


@pytest.fixture
def early(add):
    profile_rules.cache_clear()
    yield add("trainlens.rules")
    rules_base.forget([("default", "early-best")])
    profile_rules.cache_clear()


def test_the_rule_keeps_the_contract_of_rules(early):
    held = rules.all_rules()["early-best"]
    assert held.check is early.early_best
    assert held.package == ""
    checks = contract("tests/contracts/test_rules.py")
    ran = {
        test.__name__: run(test, "early-best")
        for test in (
            checks.test_odd_runs_give_plain_findings,
            checks.test_advice_is_written,
            checks.test_a_rule_judges_the_same_twice_and_changes_nothing,
            checks.test_the_default_profile_knows_no_unit_of_a_loss,
        )
    }
    assert min(ran.values()) >= 2, ran


def test_the_rule_says_what_it_should(early):
    from trainlens.catalogue import settings_of
    from trainlens.run import Chunk, Column, Run, unknown

    held = rules.all_rules()["early-best"]

    def judged(value):
        step, blank = np.arange(len(value)) * 10, unknown(len(value))
        column = Column("val_loss", step, np.asarray(value, float), blank, blank)
        return held(Run("r", "r", "jsonl").extend(Chunk((column,))))[0]

    rising, falling = np.linspace(1, 2, 30), np.linspace(2, 1, 30)
    assert (judged(rising).status.value, judged(rising).first_step) == ("fail", 0)
    assert judged(falling).status.value == "pass"
    assert judged(rising[:5]).status.value == "inconclusive"
    assert [(s.name, s.unit) for s in settings_of(held)] == [
        ("share", "share of the evaluations"), ("least_points", "evaluations"),
    ]  # fmt: skip


# --- a plot -----------------------------------------------------------------------------------


@pytest.fixture
def spread(add, monkeypatch):
    from trainlens.plots import base

    plots.available()  # what registers itself now is to stay
    monkeypatch.setattr(base, "_registry", dict(base._registry))
    plots.available.cache_clear()
    yield add("trainlens.plots")
    plots.available.cache_clear()


def test_the_plot_keeps_the_contract_of_plots(spread):
    assert plots.available()["value-spread"].draw is spread.value_spread
    fits = contract("tests/plots/test_run_plots.py")
    assert run(fits.test_every_text_can_be_read_at_800_pixels, "value-spread") == 1
    assert run(fits.test_no_text_leaves_the_picture, "value-spread") == 1
    checks = contract("tests/plots/test_plots.py")
    for kind in checks.ODD_RUNS:
        checks.test_every_plot_draws_every_run("value-spread", kind)
    checks.test_a_plot_draws_into_the_axes_it_is_given("value-spread")
    with pytest.raises(ValueError, match="one run, 2 were given"):
        plots.available()["value-spread"].draw([checks.full_run(), checks.full_run()])


# --- a schedule -------------------------------------------------------------------------------


@pytest.fixture
def half(add, monkeypatch):
    pytest.importorskip("torch")
    from trainlens_torch import schedules
    from trainlens_torch.schedules import _spec

    (code,) = FORMULAS.values()
    names = dict(vars(formulas))
    exec(code, names)
    monkeypatch.setitem(formulas.KINDS, "half-life", names["half_life"])
    module = add("trainlens_torch.schedules")
    _spec.every_schedule.cache_clear()
    monkeypatch.setattr(schedules, "ALL", _spec.every_schedule())
    monkeypatch.setattr(schedules, "HalfLife", module.HalfLife, raising=False)
    monkeypatch.setattr(schedules, "__all__", [*schedules.__all__, "HalfLife"])
    yield module
    monkeypatch.undo()
    # `Schedule.__subclasses__` would go on to give the class.
    module.HalfLife.__module__ = "gone"
    _spec.every_schedule.cache_clear()


def test_the_schedule_keeps_the_contract_of_schedules(half):
    from hypothesis import strategies as st

    checks = contract("tests/torch/schedules/test_contract.py")
    checks.MAKE["half-life"] = st.builds(half.HalfLife, checks.SOME)
    checks.test_every_kind_of_the_schema_has_one_schedule_and_is_tested()
    checks.test_the_spec_gives_trainlens_the_same_values(kind="half-life")
    checks.test_it_is_a_plain_value(kind="half-life")
    assert doctest.testmod(half).failed == 0
    made = half.HalfLife("500ba")
    assert made.spec() == {"kind": "half-life", "half_steps": 500.0}
    with pytest.raises(ValueError, match="half of HalfLife must be above 0"):
        half.HalfLife(0)
    assert dataclasses.asdict(half.HalfLife()) == {"half": 0.25}


# --- a sink -----------------------------------------------------------------------------------


@pytest.fixture
def flat(add):
    pytest.importorskip("torch")
    return add("trainlens_torch.record")


def entries(n, begin=0):
    from trainlens_torch.record.entry import Entry

    return [
        Entry(i, 1.7e9 + i, {"loss": 1 / (i + 1)}, {"lr": 0.1}, "val" if i % 5 == 4 else "train")
        for i in range(begin, begin + n)
    ]


def target(folder, rank=0):
    from trainlens_torch.record.sinks import Target

    return Target(folder, "run", lambda: 1.7e9, {"lr": 0.1}, {}, rank)


def steps(path):
    run = trainlens.load_one(path)
    held = [run["loss", split].step.tolist() for split in ("train", "val")]
    return sorted(step for some in held for step in some), run.notices


def test_the_sink_has_every_entry_at_any_moment(flat, tmp_path):
    sink = flat.make(target(tmp_path))
    for begin in range(0, 30, 10):
        sink.write(entries(10, begin))
        assert steps(tmp_path / "flat.jsonl")[0] == list(range(begin + 10))
    sink.flush()
    sink.close()
    sink.close()
    with pytest.raises(OSError, match="closed"):
        sink.write(entries(1))


def test_the_sink_of_another_rank_writes_another_file(flat, tmp_path):
    for rank in (0, 1):
        sink = flat.make(target(tmp_path, rank))
        sink.write(entries(3))
        sink.close()
    assert sorted(p.name for p in tmp_path.glob("*.jsonl")) == ["flat.jsonl", "flat.rank1.jsonl"]


@pytest.mark.parametrize("room", [0, 1, 50, 120, 400])
def test_the_sink_loses_nothing_on_a_disk_that_is_full_for_a_while(
    flat, tmp_path, monkeypatch, room
):
    from trainlens_torch.record import append

    real = os.write

    def full(descriptor, data):
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, "no space left")
        taken = real(descriptor, data[:room])
        room -= taken
        return taken

    sink, given = flat.make(target(tmp_path)), entries(10)
    monkeypatch.setattr(append.os, "write", full)
    with pytest.raises(OSError, match="no space left") as caught:
        sink.write(given)
    monkeypatch.setattr(append.os, "write", real)
    sink.write(given[caught.value.written :])
    sink.close()
    assert steps(tmp_path / "flat.jsonl") == (list(range(10)), ())


def test_the_sink_mends_what_a_crash_tore(flat, tmp_path):
    sink = flat.make(target(tmp_path))
    sink.write(entries(5))
    sink.close()
    path = tmp_path / "flat.jsonl"
    path.write_bytes(path.read_bytes()[:-7])
    again = flat.make(target(tmp_path))
    again.write(entries(5, 5))
    again.close()
    assert steps(path) == ([0, 1, 2, 3, 5, 6, 7, 8, 9], ())


def test_a_logger_takes_the_sink(flat, tmp_path):
    from trainlens_torch import RunLogger

    with RunLogger(tmp_path, sinks=("jsonl", flat.make), config={"lr": 0.1}) as log:
        for step in range(20):
            log.log(step, losses={"loss": 1 / (step + 1)})
    assert (log.errors, log.dropped) == (0, 0)
    run = trainlens.load_one(tmp_path / "flat.jsonl")
    assert run["loss"].value.tolist() == [1 / (step + 1) for step in range(20)]
