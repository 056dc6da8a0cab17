"""The rounds of a monitor: what matters is told in the round that reads it, and told once."""

import os
import shutil

import pytest

import trainlens
from tests.monitor.growing import Watch, add, falling, record
from trainlens.errors import NotFound
from trainlens.monitor import state
from trainlens.monitor.model import GONE, LIVE, QUIET, WAITING
from trainlens.monitor.outlook import parse
from trainlens.work import Judging


def sick(step):
    """A loss with a spike at step 300 and NaN from 400 on."""
    if step >= 400:
        return float("nan")
    return falling(step) * (3 if 300 <= step < 308 else 1)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "run.jsonl"


def test_spike_and_nan_are_told_in_their_rounds_and_once(log):
    watch, when = Watch(log), {}
    for step in range(450):
        add(log, record(step, sick(step)))
        for change in watch.round().changes:
            if change.finding.severity.rank:
                when.setdefault((change.kind, change.finding.rule), []).append(step)
    assert when[("opened", "loss-spike")][0] in range(300, 305)
    assert when[("opened", "non-finite")] == [400]
    assert set(when) == {("opened", "loss-spike"), ("opened", "non-finite")}
    assert len(when[("opened", "loss-spike")]) == 1


def test_the_end_is_the_diagnosis_of_the_whole_log(log):
    watch = Watch(log)
    for step in range(0, 450, 9):
        add(log, *(record(s, sick(s)) for s in range(step, step + 9)))
        watch.round()
    last = watch.round(final=True)
    cold = trainlens.diagnose(trainlens.load_one(log), plugins=False)
    found = sorted((f.rule, f.first_step, f.severity.value) for _, f in last.runs[0].findings)
    assert found == sorted((f.rule, f.first_step, f.severity.value) for f in cold.findings)
    assert last.runs[0].verdict == cold.verdict


def test_a_restart_of_the_monitor_tells_nothing_twice(log, tmp_path):
    file = tmp_path / "state" / "s.json"
    told = []
    for begin in range(0, 450, 45):
        watch = Watch(log, ledger=state.load(file), file=file)
        for step in range(begin, begin + 45):
            add(log, record(step, sick(step)))
            watch.round()
        told += watch.told
    assert len(told) == len(set(told))
    assert {rule for _, rule, _ in told} == {"loss-spike", "non-finite"}


def test_without_patience_no_run_at_all_is_an_error_and_one_of_two_is_noted(log):
    with pytest.raises(NotFound):
        Watch(log, patient=False).round()
    add(log, record(0, 1.0))
    watch = Watch(log, log.with_name("later.jsonl"), patient=False)
    assert len(watch.round().runs) == 1
    assert watch.monitor.missing
    add(log.with_name("later.jsonl"), record(0, 1.0))
    assert len(watch.round(stirred=True).runs) == 2
    assert not watch.monitor.missing


def test_a_resumed_training_is_where_its_last_attempt_is(log):
    add(log, *(record(s, falling(s), **({"rare": 1.0} if s == 450 else {})) for s in range(500)))
    watch = Watch(log)
    assert watch.round().runs[0].step == 499
    add(log, *(record(s, falling(s), at=600 + s) for s in range(200, 220)))
    assert watch.round().runs[0].step == 219
    for _ in range(4):
        add(log, *(record(s, falling(s), at=600 + s) for s in range(220, 230)))
        run = watch.round().runs[0]
    assert run.step == 229
    # Who comes later sees the same.
    assert Watch(log).round().runs[0].step == 229


def test_a_path_that_does_not_exist_yet_is_waited_for(log):
    watch = Watch(log)
    first = watch.round()
    assert "does not exist yet" in first.notices[0]
    assert watch.round().notices == ()
    add(log, *(record(s, falling(s)) for s in range(50)))
    update = watch.round()
    assert [r.step for r in update.runs] == [49]


def test_an_empty_file_is_waited_for(log):
    log.touch()
    watch = Watch(log)
    assert "empty so far" in watch.round().notices[0]
    add(log, record(0, 1.0), record(1, 0.9))
    assert watch.round().runs[0].points == 2


def test_new_runs_in_a_folder_are_picked_up(tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    watch = Watch(folder)
    watch.round()
    for i in range(3):
        (folder / f"{i}").mkdir()
        add(folder / f"{i}" / "log.jsonl", record(0, 1.0), record(1, 0.9))
        watch.round()
    assert [r.name for r in watch.round().runs] == ["0", "1", "2"]


def test_a_file_that_becomes_a_log_is_found(tmp_path):
    (tmp_path / "run.jsonl").write_text("")
    add(tmp_path / "other.jsonl", record(0, 1.0), record(1, 1.0))
    watch = Watch(tmp_path)
    assert len(watch.round().runs) == 1
    add(tmp_path / "run.jsonl", record(0, 1.0), record(1, 1.0))
    for _ in range(20):
        update = watch.round()
    assert sorted(r.name for r in update.runs) == ["other", "run"]


def test_another_run_in_the_same_file_begins_anew(log):
    watch = Watch(log)
    add(log, *(record(s, sick(s)) for s in range(450)))
    watch.round()
    fresh = log.with_name("fresh")
    add(fresh, *(record(s, 2 * falling(s), at=9000 + s) for s in range(200)))
    os.replace(fresh, log)
    update = watch.round()
    run = update.runs[0]
    assert (run.points, run.step) == (200, 199)
    assert any("read anew" in n for n in run.notices)
    assert run.findings == ()
    watch.changes.clear()
    add(log, *(record(s, float("nan"), at=9000 + s) for s in range(200, 210)))
    watch.round()
    assert watch.told == [("opened", "non-finite", 200)]


def test_a_folder_that_is_deleted_is_said_and_may_come_back(tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    log = folder / "run.jsonl"
    add(log, *(record(s, falling(s)) for s in range(50)))
    watch = Watch(folder)
    watch.round()
    shutil.rmtree(folder)
    update = watch.round()
    assert [r.state for r in update.runs] == [GONE]
    said = [*update.notices, *update.runs[0].notices]
    assert any("gone" in n or "does not exist" in n for n in said)
    folder.mkdir()
    add(log, *(record(s, falling(s)) for s in range(60)))
    for _ in range(3):
        update = watch.round()
    assert [(r.state, r.step) for r in update.runs] == [(LIVE, 59)]


def test_a_clock_that_jumps_is_no_silence(log):
    watch = Watch(log)
    add(log, *(record(s, falling(s)) for s in range(100)))
    os.utime(log, (1.7e9 + watch.time, 1.7e9 + watch.time))
    watch.round()
    for i, jump in enumerate((5 * 3600.0, -3 * 86400.0, 1e7)):
        watch.jump = jump
        watch.round()
        add(log, record(100 + i, 0.5))
        watch.round()
    assert [t for t in watch.told if t[1] == "stalled-log"] == []


def test_a_log_whose_clock_is_another_is_not_silent(log):
    # Its times lie years before ours.
    watch = Watch(log)
    watch.jump = 3e7
    add(log, *(record(s, falling(s)) for s in range(100)))
    os.utime(log, (1.7e9 + watch.time + 3e7,) * 2)
    watch.round()
    assert watch.told == []


def test_silence_is_told_when_it_lasts(log):
    watch = Watch(log, seconds=10.0)
    for step in range(30):
        add(log, *(record(10 * step + i, falling(10 * step + i)) for i in range(10)))
        os.utime(log, (1.7e9 + watch.time, 1.7e9 + watch.time))
        watch.round()
    assert watch.round().runs[0].state == LIVE
    watch.seconds = 600.0
    for _ in range(6):
        update = watch.round()
    assert update.runs[0].state == QUIET
    assert ("opened", "stalled-log", 299) in watch.told


def test_the_unfinished_last_line_waits(log):
    watch = Watch(log)
    add(log, *(record(s, falling(s)) for s in range(50)), record(50, 1.0)[:30])
    os.utime(log, (1.7e9 + watch.time, 1.7e9 + watch.time))
    update = watch.round()
    assert update.runs[0].points == 50
    assert not watch.monitor.lost
    assert all(f.rule != "log-damage" for _, f in update.runs[0].findings)
    add(log, record(50, 1.0)[30:])
    assert watch.round().runs[0].points == 51


def test_an_unfinished_line_of_a_dead_run_is_lost(log):
    watch = Watch(log, seconds=100.0)
    add(log, *(record(s, falling(s)) for s in range(50)), record(50, 1.0)[:30])
    os.utime(log, (1.7e9 + watch.time, 1.7e9 + watch.time))
    for _ in range(4):
        update = watch.round()
    assert [f.rule for _, f in update.runs[0].findings] == ["log-damage"]


def test_how_a_run_stands(log):
    watch = Watch(log)
    add(log, '{"schema": "trainlens.log/1", "run": "a", "config": {"max_steps": 400}}\n')
    for step in range(200):
        add(log, record(step, falling(step), lr=1e-3, grad_norm=1.0))
        if step % 50 == 0:
            add(log, record(step, falling(step) + 0.25, split="val"))
        update = watch.round()
    run = update.runs[0]
    assert (run.step, run.planned, run.state) == (199, 400, LIVE)
    assert run.progress == pytest.approx(199 / 400)
    assert run.rate == pytest.approx(1.0, rel=0.05)
    assert run.remaining == pytest.approx(201, rel=0.05)
    assert [t.metric for t in run.trails[:2]] == ["total", "total"]
    assert [t.role for t in run.trails[2:]] == ["learning-rate", "gradient-norm"]
    assert run.gap == pytest.approx(run.trails[0].last - run.trails[1].ema)
    assert run.verdict == "healthy"


@pytest.mark.parametrize(
    "plans",
    ['{"total_steps": 400}', '{"lr": {"kind": "cosine", "base": 1e-3, "total_steps": 400}}'],
)
def test_the_planned_end_stands_with_the_schedules(log, plans):
    watch = Watch(log)
    add(log, f'{{"schema": "trainlens.log/1", "run": "a", "schedules": {plans}}}\n')
    add(log, *(record(s, falling(s)) for s in range(50)))
    assert watch.round().runs[0].planned == 400


def test_before_there_is_a_point_a_run_waits(log):
    add(log, '{"schema": "trainlens.log/1", "run": "a", "config": {}}\n')
    update = Watch(log).round()
    assert [r.state for r in update.runs] == [WAITING]


def test_a_state_that_cannot_be_kept_is_said_once(log, tmp_path):
    (tmp_path / "state").write_text("a file where the folder should be")
    watch = Watch(log, file=tmp_path / "state" / "s.json")
    said = []
    for step in range(450):
        add(log, record(step, sick(step)))
        said += watch.round().notices
    assert len([n for n in said if "cannot be kept" in n]) == 1


def test_what_users_say_of_metrics_holds(log):
    from trainlens.settings.meaning import meaning

    judge = Judging(roles=(meaning("odd", "metric:max"),))
    add(log, *(record(s, falling(s), odd=float(s)) for s in range(50)))
    update = Watch(log, judge=judge).round()
    assert [t.direction for t in update.runs[0].trails if t.metric == "odd"] == ["max"]


def test_names_of_runs_do_not_change(tmp_path):
    (tmp_path / "a").mkdir()
    add(tmp_path / "a" / "log.jsonl", record(0, 1.0), record(1, 1.0))
    watch = Watch(tmp_path)
    first = watch.round().runs[0].name
    add(tmp_path / "a" / "other.jsonl", record(0, 1.0), record(1, 1.0))
    for _ in range(3):
        update = watch.round()
    assert update.runs[0].name == first
    assert len({r.name for r in update.runs}) == 2


def test_the_chance_of_a_target_is_asked_for(log):
    add(log, *(record(s, falling(s)) for s in range(50)))
    update = Watch(log, target=parse("train/total < 0.1")).round()
    assert update.runs[0].chance is not None
    assert update.runs[0].chance.because


def test_digests_are_made_where_a_page_is_wanted(log):
    add(log, *(record(s, falling(s)) for s in range(50)))
    watch = Watch(log, pages=True)
    names = [run.name for run in watch.round().runs]
    assert [d.told.name for d in watch.monitor.digests] == names
    assert Watch(log).monitor.digests == []


def test_nothing_beside_a_run_is_written(log, tmp_path):
    add(log, *(record(s, sick(s)) for s in range(450)))
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in tmp_path.rglob("*")}
    watch = Watch(tmp_path)
    for _ in range(3):
        watch.round()
    assert {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in tmp_path.rglob("*")} == before


def test_a_log_that_is_rotated_is_one_run(tmp_path):
    watch, log = Watch(tmp_path), tmp_path / "train.jsonl"
    for part in range(4):
        add(log, *(record(s, sick(s)) for s in range(100 * part, 100 * part + 100)))
        update = watch.round()
        for n in range(part, 0, -1):
            os.replace(f"{log}.{n}", f"{log}.{n + 1}")
        os.replace(log, f"{log}.1")
        watch.round()  # the new file has not been begun yet
    add(log, *(record(s, sick(s)) for s in range(400, 420)))
    update = watch.round()
    assert [(r.points, r.step) for r in update.runs] == [(420, 419)]
    kinds = [(kind, rule) for kind, rule, _ in watch.told]
    assert kinds == [("opened", "loss-spike"), ("opened", "non-finite")]


@pytest.mark.parametrize(("hours", "told"), [(1, True), (5, True), (7, False), (500, False)])
def test_a_run_that_was_over_long_before_is_not_called_silent(log, hours, told):
    watch = Watch(log)
    add(log, *(record(s, falling(s)) for s in range(300)))
    os.utime(log, (1.7e9 + watch.time - 3600 * hours,) * 2)
    watch.round()
    assert (("opened", "stalled-log", 299) in watch.told) is told


def test_a_silence_that_was_told_goes_on(log, tmp_path):
    file = tmp_path / "s.json"
    add(log, *(record(s, falling(s)) for s in range(300)))
    written, told = 1.7e9 + 1000, []
    for hours in (1, 5, 20, 40, 60):
        watch = Watch(log, ledger=state.load(file), file=file)
        watch.jump = 3600.0 * hours
        os.utime(log, (written, written))
        for _ in range(3):
            watch.round()
        told += watch.told
    assert told == [("opened", "stalled-log", 299)]
