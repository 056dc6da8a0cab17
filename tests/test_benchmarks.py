"""The benchmarks themselves: their table, their logs, and what they take for a success."""

from __future__ import annotations

import importlib
import json
import math
import sys

import numpy as np
import pytest

import trainlens
from benchmarks import __main__ as main
from benchmarks import document
from benchmarks.alone import title
from benchmarks.browser import MISSING
from benchmarks.logs import NAMES, curves, write_events, write_jsonl, write_wide
from benchmarks.page.visit import visit
from benchmarks.process import run
from benchmarks.table import Row, markdown, text
from benchmarks.wandb_log import write_wandb


@pytest.mark.parametrize(
    ("goal", "theirs", "ours", "unit", "verdict"),
    [
        (">= 4x", 4.0, 1.0, "s", "met"),
        (">= 4x", 3.9, 1.0, "s", "missed"),
        (">= 4x the SDK", 8.0, 1.0, "s", "met"),
        ("<= 3 s", math.nan, 3.0, "s", "met"),
        ("<= 3 s", 9.0, 3.1, "s", "missed"),
        ("<= 1.0 MB", 5.7, 0.7, "MB", "met"),
        ("<= 10 ms", 60.0, 9.9, "ms", "met"),
        ("<= 10 ms", 60.0, 10.1, "ms", "missed"),
        (">= 4x", math.nan, 1.0, "s", ""),
        ("<= 3 s", 1.0, math.nan, "s", ""),
        ("", 1.0, 1.0, "s", ""),
    ],
)
def test_verdict(goal, theirs, ours, unit, verdict):
    assert Row("work", "peer", theirs, ours, goal, unit=unit).verdict == verdict


def test_only_our_own_failure_is_one():
    nan = math.nan
    assert main.failed(Row("work", "", nan, nan, note="1 s of CPU; fails: no such option"))
    assert not main.failed(Row("work", "peer", nan, 1.0, note="fails: the peer"))
    assert not main.failed(Row("work", "peer", nan, nan, note="not installed"))


def test_table():
    rows = [Row("a", "b", 12.8, 0.064, ">= 150x", "x|y"), Row("c", "", math.nan, math.nan)]
    lines = text(rows).splitlines()
    assert lines[1].split() == [
        "a",
        "b",
        "12.8",
        "s",
        "0.064",
        "s",
        "200x",
        ">=",
        "150x",
        "met",
        "x|y",
    ]
    assert lines[2].split() == ["c", "-", "-", "-", "-"]
    assert markdown(rows).splitlines()[2].endswith("| 200x | >= 150x | met | x\\|y |")


@pytest.mark.parametrize("metrics", [1, 3, 8])
def test_logs_hold_the_curves(tmp_path, metrics):
    rows, values = 12_345, curves(12_345, metrics, 7)
    lines = write_jsonl(tmp_path / "a.jsonl", rows, metrics, seed=7, validate=100)
    records = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [record["step"] for record in records] == list(range(rows))
    assert sum("eval_loss" in record for record in records) == 124
    for place, name in enumerate(NAMES[:metrics]):
        read = [record[name] for record in records]
        np.testing.assert_allclose(read, values[:, place], rtol=1e-8)


def test_wide_logs_have_every_metric_once(tmp_path):
    (run,) = trainlens.load(write_wide(tmp_path / "a.jsonl", 50, 100, seed=3))
    assert len(run.series) == 100
    values = [series.value for series in run.series.values()]
    assert all(len(value) == 50 and np.isfinite(value).all() for value in values)
    # Eight kinds of curves; the learning rate is planned and the same in every part.
    assert len({value.tobytes() for value in values}) == 100 - 12


_SLOW = """<!doctype html><div id="charts"><div class="plot" style="height: 200px"></div></div>
<div id="tip" hidden></div><canvas></canvas><script>
const tip = document.getElementById("tip"), plot = document.querySelector(".plot");
const wait = (ms) => { const end = performance.now() + ms; while (performance.now() < end); };
let told = 0;
setTimeout(() => plot.addEventListener("pointermove", () => {
  wait(20);
  tip.hidden = false;
  tip.textContent = ++told;
}), 300);
addEventListener("pointerup", () => setTimeout(() => {
  wait(50);
  document.querySelector("canvas").getContext("2d").stroke();
}, 100));
</script>"""


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_a_page_is_not_taken_for_faster_than_it_is(tmp_path):
    path = tmp_path / "page.html"
    path.write_text(_SLOW)
    seen = visit(path, "trainlens", hovers=3)
    assert seen.interactive >= 0.3 + 0.02
    assert len(seen.hover) == 3
    assert min(seen.hover) >= 0.02
    assert seen.zoom >= 0.1 + 0.05
    assert seen.requests == 0


def test_event_files_are_whole(tmp_path):
    """Both readers verify the checksums; TensorBoard's stops at the first that is wrong."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    path = write_events(tmp_path / "events.out.tfevents.1.host", 11_111, 2, seed=3)
    values = curves(11_111, 2, 3).astype("f4")
    theirs = accumulator.EventAccumulator(str(path), size_guidance={"scalars": 0}).Reload()
    (ours,) = trainlens.load(tmp_path)
    assert not ours.notices
    for place, name in enumerate(NAMES[:2]):
        points = theirs.Scalars(name)
        assert [point.step for point in points] == list(range(11_111))
        assert [point.value for point in points] == values[:, place].tolist()
    assert sum(len(series.value) for series in ours.series.values()) == 22_222


def test_logs_of_wandb_are_whole(tmp_path):
    """Checksums and layout are those that the reader's own tests hold against W&B's."""
    (run,) = trainlens.load(write_wandb(tmp_path / "run-abc123.wandb", 5_000, 3, seed=7))
    assert run.format == "wandb"
    assert not run.notices
    values = curves(5_000, 3, 7)
    for place, name in enumerate(NAMES[:3]):
        (series,) = [s for (metric, _), s in run.series.items() if metric == name]
        assert series.step.tolist() == list(range(5_000))
        assert series.value.tolist() == values[:, place].tolist()


def test_a_command_that_fails_has_no_time():
    with pytest.raises(RuntimeError, match="ValueError: no"):
        run([sys.executable, "-c", "raise ValueError('no')"])
    with pytest.raises(RuntimeError, match="no message"):
        run([sys.executable, "-c", "raise SystemExit(1)"])


def test_findings_are_no_failure():
    took = run([sys.executable, "-c", "print('sick'); raise SystemExit(1)"])
    assert (took.code, took.output, took.late) == (1, "sick\n", False)


def test_a_command_that_takes_too_long_ends():
    took = run([sys.executable, "-c", "import time; time.sleep(60)"], limit=0.3)
    assert took.late


@pytest.mark.skipif(sys.platform != "linux", reason="sums over /proc")
def test_memory_counts_children_and_not_the_caller():
    held = np.ones(50_000_000)  # 400 MB that must not be seen
    assert run([sys.executable, "-c", ""]).peak < 100e6 < held.nbytes
    child = "import sys; a = b'x' * 80_000_000; print(flush=True); sys.stdin.read()"
    two = f"""
import subprocess, sys, threading, time
kept = []
def start():
    one = subprocess.Popen([sys.executable, "-c", {child!r}], stdin=-1, stdout=-1)
    one.stdout.readline()
    kept.append(one)
    done.wait()
done = threading.Event()
threads = [threading.Thread(target=start) for _ in "ab"]
[thread.start() for thread in threads]
while len(kept) < 2:
    time.sleep(0.01)
time.sleep(1)
[one.stdin.close() for one in kept]
done.set()
"""
    assert run([sys.executable, "-c", two]).peak > 160e6


@pytest.mark.parametrize("name", main.BENCHMARKS)
def test_every_benchmark_has_results(name):
    module = importlib.import_module(f"benchmarks.{name}")
    assert callable(module.results)
    assert title(name)


def test_arguments(capsys):
    assert main.options(["startup", "--quick"]).names == ["startup"]
    for wrong in (["nonsense"], ["--write", "--quick"]):
        with pytest.raises(SystemExit):
            main.options(wrong)
        assert "error:" in capsys.readouterr().err


def test_tables_of_some_benchmarks_leave_the_others(tmp_path):
    def rows(ours):
        return [Row("goal", "p", 2.0, ours, ">= 2x"), Row("none", "p", 2.0, ours)]

    page = tmp_path / "page.md"
    page.write_text(f"above\n{document.BEGIN}\nold\n{document.END}\nbelow\n")
    document.replace(page, document.everything({"startup": rows(1.0), "memory": rows(0.5)}))
    summary = tmp_path / "summary.md"
    summary.write_text(document.summary({"startup": rows(1.0)}) + "\nbelow\n")
    document.refresh(page, {"memory": rows(0.25)})
    document.refresh_summary(summary, {"startup": rows(0.25)})
    told = page.read_text()
    assert told.startswith("above\n")
    assert told.endswith(f"{document.END}\nbelow\n")
    assert [told.count(ratio) for ratio in ("2.00x", "4.00x", "8.00x")] == [2, 0, 2]
    assert [summary.read_text().count(ratio) for ratio in ("2.00x", "8.00x")] == [0, 1]
    with pytest.raises(ValueError, match="no table of scaling"):
        document.refresh(page, {"scaling": rows(1.0)})


def test_a_benchmark_with_a_page_of_its_own_is_written_there(tmp_path, monkeypatch):
    monkeypatch.setattr(main, "_ROOT", tmp_path)
    docs = tmp_path / "docs"
    docs.mkdir()
    pages = (docs / "page.md", docs / "performance.md", tmp_path / "README.md")
    for page in pages:
        page.write_text(f"{document.BEGIN}\n{document.END}\n")
    held = {"page": [Row("size of it", "p", 2.0, 0.5, "<= 1.0 MB", unit="MB")], "startup": []}
    main.write(held, some=False)
    assert ["| size of it |" in page.read_text() for page in pages] == [True, False, True]


def test_pages_have_their_markers(tmp_path):
    found = {"startup": [Row("with", "p", 2.0, 1.0, ">= 2x"), Row("without", "p", 2.0, 1.0)]}
    page = tmp_path / "page.md"
    page.write_text(f"above\n{document.BEGIN}\nold\n{document.END}\nbelow\n")
    document.replace(page, document.summary(found))
    told = page.read_text()
    assert told.startswith("above\n")
    assert told.endswith("below\n")
    assert "old" not in told
    assert "| with |" in told
    assert "| without |" not in told
    assert "| without |" in document.everything(found)
    page.write_text("no markers")
    with pytest.raises(ValueError, match="add both"):
        document.replace(page, "text")
