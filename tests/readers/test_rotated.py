"""A log that is rotated is one run: what its parts are, found and read cold."""

import gzip
import json
import logging
import logging.handlers
import os
import random

import numpy as np
import pytest

import trainlens
from tests.readers.rotated_log import lines, points, put, rows, same, steps, table, torn
from trainlens.readers import discover
from trainlens.readers._rotation import chains, missing, older

# Names


@pytest.mark.parametrize(
    "name",
    [
        "train.log.1", "train.log.12.gz", "train.log.0", "train.log-20240101",
        "train.log-20240101.zst", "train.log.2024-01-01", "train.log.2024-01-01_13",
        "train.log.2024-01-01_13-00", "train.log.2024-01-01_13-00-59.xz", "train.log-2024010113",
        "train.log-1704067200", "train.log-20240101-1704067200.bz2", "train.log.20240101",
        "train.2024-01-01_12-00-00_123456.log", "train.2024-01-01_12-00-00_123456.log.gz",
    ],
)  # fmt: skip
def test_names_of_older_parts(name):
    assert older(name).log == "train.log"


@pytest.mark.parametrize(
    "name",
    [
        "train.log", "train.log.gz", "train.1.log", "train.log.01", "train.log.1234", "v1.2024",
        "train.log.20241301", "train.log-2024-02-30", "train.log.bak", "run-2020-08-22.csv",
        "loss.12345678", ".1", "", "job.out.7654321", "model-99999999", "a.9999999999",
    ],
)  # fmt: skip
def test_other_names(name):
    assert older(name) is None


def test_order_of_parts():
    numbered = ["a.log", "a.log.1", "a.log.2.gz", "a.log.10.gz"]
    dated = ["b.log", "b.log-20240101", "b.log-20231231.gz", "b.log-2024010112", "b.log-1704200000"]
    found = chains(random.Random(1).sample([*numbered, *dated], 9))
    assert found == {
        "a.log": ["a.log.10.gz", "a.log.2.gz", "a.log.1", "a.log"],
        "b.log": [
            "b.log-20231231.gz", "b.log-20240101", "b.log-2024010112", "b.log-1704200000", "b.log",
        ],
    }  # fmt: skip


def test_a_part_in_two_wrappings_counts_once_the_plain_one():
    names = ["a.log", "a.log.1", "a.log.1.gz", "a.log-20240101.gz", "a.log-20240101"]
    assert chains(names) == {"a.log": ["a.log-20240101", "a.log.1", "a.log"]}


def test_numbers_alone_make_no_log():
    assert chains(["seed.1", "seed.2", "seed.3"]) == {}
    assert chains(["train.log", "other.log.1"]) == {}
    assert chains(["a.log.1", "a.log.2.gz"]) == {"a.log": ["a.log.2.gz", "a.log.1"]}


def test_parts_that_must_have_been_there():
    assert missing(["a.log.5", "a.log.2.gz", "a.log"]) == ["a.log.4", "a.log.3", "a.log.1"]
    assert missing(["a.log.1", "a.log.0", "a.log"]) == []
    assert missing(["a.log-20240101", "a.log-20240109", "a.log"]) == []


# Finding


def test_three_parts_are_one_run_from_the_folder_and_from_the_log(tmp_path):
    log = put(tmp_path, _2_gz=rows(0, 10), _1=rows(10, 20), _live=rows(20, 25))
    for path in (tmp_path, log):
        (source,) = discover(path)
        assert [p.path.name for p in source.parts] == ["train.log.2.gz", "train.log.1", "train.log"]
        run = trainlens.load_one(path)
        assert steps(run) == list(range(25))
        assert run.source == str(log)
        (said,) = [n for n in run.notices if "parts" in n.message]
        assert str(said) == (
            "train.log: one log in 3 parts: train.log.2.gz, train.log.1, train.log"
        )


def test_a_part_that_is_named_is_read_alone(tmp_path):
    log = put(tmp_path, _1=rows(0, 10), _live=rows(10, 15))
    assert steps(trainlens.load_one(tmp_path / "train.log.1")) == list(range(10))
    # Named beside the log that it belongs to it is read once.
    for paths in [(log, f"{log}.1"), (f"{log}.1", log), (tmp_path / "train.log*",)]:
        (run,) = trainlens.load(*paths)
        assert steps(run) == list(range(15))


def test_what_one_link_or_two_names_show_is_read_once(tmp_path):
    log = put(tmp_path, **{"-20240101": rows(0, 5), "-20240102": rows(5, 9)})
    log.symlink_to("train.log-20240102")
    assert steps(trainlens.load_one(tmp_path)) == list(range(9))


def test_a_log_that_has_just_been_begun(tmp_path):
    log = put(tmp_path, _1=rows(0, 10), _live="")
    for text in ("", '{"st'):
        log.write_text(text)
        for path in (log, tmp_path):
            found = discover(path)
            assert [s.path for s in found] == [log]
            assert found.notices == ()


def test_a_part_without_a_record_is_a_part(tmp_path):
    log = put(tmp_path, _2="loading data\nusing 4 GPUs\n", _1=lines(0, 5), _live=lines(5, 9))
    assert [len(s.parts) for s in (*discover(log), *discover(tmp_path))] == [3, 3]
    assert steps(trainlens.load_one(log)) == list(range(9))


def test_other_formats_and_runs_of_their_own_stay_apart(tmp_path):
    log = put(tmp_path, _1=rows(0, 10), _live=table(0, 10))
    assert [s.format for s in discover(tmp_path)] == ["csv", "jsonl"]
    assert [s.format for s in discover(log)] == ["csv"]
    assert not any(s.parts for s in discover(tmp_path))


def test_files_that_are_named_like_a_folder_stay_apart(tmp_path):
    (tmp_path / "runs").mkdir()
    for n in (1, 2):
        (tmp_path / f"runs.{n}").write_text(rows(0, 5))
    assert len(discover(tmp_path)) == 2


def test_a_part_that_is_no_log_is_named_and_left_out(tmp_path):
    log = tmp_path / "metrics.jsonl"
    log.write_text(rows(0, 5))
    (tmp_path / "metrics.jsonl.1").write_text(rows(0, 5))
    pointer = tmp_path / "metrics.jsonl.2.gz"
    pointer.symlink_to(tmp_path / "nowhere")
    assert [p.path.name for s in discover(log) for p in s.parts] == [
        "metrics.jsonl.1",
        "metrics.jsonl",
    ]


def test_the_run_is_named_after_the_log(tmp_path):
    for run in "ab":
        (tmp_path / run).mkdir()
        put(tmp_path / run, _1=rows(0, 5), _live=rows(5, 9))
    (tmp_path / "a/other.jsonl").write_text(rows(0, 3))
    assert [r.name for r in trainlens.load(tmp_path)] == ["a/other", "a/train", "b"]


def test_each_folder_is_listed_once(tmp_path, monkeypatch):
    for i in range(60):
        (tmp_path / f"r{i}.jsonl").write_text(rows(0, 3))
    logs = sorted(tmp_path.iterdir())
    listed = []
    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or scan(path))
    assert len(discover(*logs)) == 60
    assert len(listed) == 1


# Reading


def test_pythons_rotating_handler(tmp_path):
    handler = logging.handlers.RotatingFileHandler(tmp_path / "b.log", "a", 900, 50)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    for i in range(100):
        record = logging.LogRecord("x", 20, "", 0, "step %d loss %.6f", (i, 1 / (i + 1)), None)
        handler.emit(record)
    handler.close()
    assert len(list(tmp_path.iterdir())) > 4
    run = trainlens.load_one(tmp_path)
    assert steps(run) == list(range(100))
    assert run.attempts == 1
    assert run["loss"].value.tolist() == [round(1 / (i + 1), 6) for i in range(100)]


def test_what_a_line_says_about_the_next_ones_holds_across_parts(tmp_path):
    whole = "".join(
        f"Epoch {e}\ntrain loss: {1 / e:.4f}\nval loss: {2 / e:.4f}\n" for e in range(1, 9)
    )
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole/train.log").write_text(whole)
    cut = whole.index("train loss", whole.index("Epoch 5"))
    (tmp_path / "cut").mkdir()
    put(tmp_path / "cut", _1=whole[:cut], _live=whole[cut:])
    one, two = (trainlens.load_one(tmp_path / name) for name in ("whole", "cut"))
    assert one.points == 16
    same(one, two)


@pytest.mark.parametrize(("make", "n"), [(rows, 30), (lines, 30), (table, 30)])
def test_a_cut_at_any_byte_changes_nothing(tmp_path, make, n):
    whole = make(0, n)
    (tmp_path / "one").mkdir()
    (tmp_path / "one/train.log").write_text(whole)
    expected = trainlens.load_one(tmp_path / "one/train.log")
    assert expected.points >= n
    for cut in range(len(whole) // 2, len(whole) // 2 + 80):
        put(tmp_path, _1=whole[:cut], _live=whole[cut:])
        got = trainlens.load_one(tmp_path / "train.log")
        found = torn(got)
        if make is table and found:
            # What is left of a row may have as many cells as a row: no number is invented.
            assert {tuple(p) for p in points(got)} <= {tuple(p) for p in points(expected)}
            continue
        same(expected, got)


@pytest.mark.parametrize(("make", "cut"), [(rows, -6), (lines, -3), (table, -3)])
def test_a_line_that_nothing_goes_on_with_is_left_out_and_named(tmp_path, make, cut):
    old, new = make(0, 10), make(10, 20)
    put(tmp_path, _1=old[:cut], _live=new)
    run = trainlens.load_one(tmp_path / "train.log")
    assert steps(run) == [*range(9), *range(10, 20)]
    (said,) = torn(run)
    begin = old.rindex("\n", 0, -1) + 1
    assert said.where == f"train.log.1, bytes {begin}-{len(old) + cut}"
    assert said.lost == 1


def test_a_number_that_may_or_may_not_go_on_is_left_out_with_what_follows(tmp_path):
    whole = table(0, 30)
    cut = whole.index("\n15,") + 2
    put(tmp_path, _1=whole[:cut], _live=whole[cut:])
    run = trainlens.load_one(tmp_path / "train.log")
    assert steps(run) == [*range(15), *range(16, 30)]
    (said,) = torn(run)
    assert said.where == f"train.log.1, bytes {cut - 1}-{cut}"
    assert "cannot be told" in said.message


def test_a_complete_record_without_its_newline_is_taken(tmp_path):
    put(tmp_path, _1=rows(0, 10)[:-1], _live=rows(10, 20))
    run = trainlens.load_one(tmp_path / "train.log")
    assert (steps(run), torn(run)) == (list(range(20)), [])
    put(tmp_path, _1=lines(0, 10)[:-1], _live="\n" + lines(10, 20))
    assert steps(trainlens.load_one(tmp_path / "train.log")) == list(range(20))


def test_a_line_over_several_parts(tmp_path):
    text = rows(0, 10)
    put(tmp_path, _3=text[:300], _2=text[300:305], _1=text[305:309], _live=text[309:])
    assert steps(trainlens.load_one(tmp_path / "train.log")) == list(range(10))


def test_damage_is_named_with_the_part_it_lies_in(tmp_path):
    put(
        tmp_path,
        _2_gz=rows(0, 9),
        _1=rows(9, 12) + "{bad\n" + rows(12, 15),
        _live=rows(15, 20) + "{BAD}\n",
    )
    run = trainlens.load_one(tmp_path / "train.log")
    assert steps(run) == list(range(20))
    text = {name: (tmp_path / name).read_bytes() for name in ("train.log.1", "train.log")}
    found = []
    for notice in run.notices:
        if notice.kind == "corrupt":
            name, _, span = notice.where.partition(", bytes ")
            begin, end = map(int, span.split("-"))
            found.append((name, text[name][begin:end]))
    assert found == [("train.log.1", b"{bad\n"), ("train.log", b"{BAD}\n")]


def test_lines_of_tables_are_counted_in_their_part(tmp_path):
    put(tmp_path, _1=table(0, 9), _live=table(9, 12) + "12,0.5\n" + table(13, 20, ""))
    run = trainlens.load_one(tmp_path / "train.log")
    (notice,) = [n for n in run.notices if n.kind == "corrupt"]
    assert notice.where == "train.log, line 5"


def test_tables_with_and_without_a_header_of_their_own(tmp_path):
    log = tmp_path / "metrics.csv"
    (tmp_path / "metrics.csv.1").write_text(table(0, 10))
    (tmp_path / "hparams.yaml").write_text("lr: 0.125\n")
    for header in ("epoch,loss,val_loss\n", ""):
        log.write_text(table(10, 15, header))
        run = trainlens.load_one(log)
        assert steps(run) == list(range(15))
        assert set(run.series) == {("loss", "train"), ("loss", "val")}
        assert run.config == {"lr": 0.125}
        assert run.attempts == 1


def test_parts_that_begin_anew_are_attempts(tmp_path):
    put(tmp_path, _2=rows(0, 30), _1=rows(0, 20), _live=rows(0, 25))
    appended = tmp_path / "all.jsonl"
    appended.write_text(rows(0, 30) + rows(0, 20) + rows(0, 25))
    whole, one = trainlens.load_one(tmp_path / "train.log"), trainlens.load_one(appended)
    assert whole.attempts == one.attempts == 3
    same(whole, one)


def test_settings_of_the_oldest_part_are_those_of_the_run(tmp_path):
    header = {"schema": "trainlens.log/1", "run": "exp", "config": {"lr": 0.5}}
    put(tmp_path, _1=json.dumps(header) + "\n" + rows(0, 9), _live=rows(9, 20))
    (source,) = discover(tmp_path)
    assert source.name == "exp"
    assert trainlens.load_one(tmp_path).config["lr"] == 0.5


def test_marks_of_byte_order_and_utf16(tmp_path):
    put(tmp_path, _1="\ufeff" + table(0, 9), _live="\ufeff" + table(9, 20))
    assert steps(trainlens.load_one(tmp_path / "train.log")) == list(range(20))
    (tmp_path / "train.log.1").write_bytes(lines(0, 9).encode("utf-16"))
    (tmp_path / "train.log").write_bytes(lines(9, 20).encode("utf-16"))
    assert steps(trainlens.load_one(tmp_path / "train.log")) == list(range(20))


def test_gaps_and_torn_wrappings_are_named(tmp_path):
    log = put(tmp_path, _4=rows(0, 9), _2=rows(20, 30), _live=rows(30, 40))
    packed = gzip.compress(rows(9, 20).encode())
    (tmp_path / "train.log.3.gz").write_bytes(packed[:-12])
    run = trainlens.load_one(log)
    found = {n.where: n.kind for n in run.notices}
    assert found["train.log.1"] == "unreadable"
    assert [k for w, k in found.items() if w.startswith("train.log.3.gz")] == ["torn-tail"] * 2
    assert set(steps(run)) >= {*range(9), *range(20, 40)}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads anything")
def test_a_part_that_may_not_be_read(tmp_path):
    log = put(tmp_path, _1=rows(0, 9), _live=rows(9, 20))
    (tmp_path / "train.log.1").chmod(0)
    assert steps(trainlens.load_one(log)) == list(range(9, 20))


def test_nothing_is_written_beneath_the_log(tmp_path):
    log = put(tmp_path, _2_gz=rows(0, 9), _1=rows(9, 20), _live=rows(20, 30))
    before = {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in [*tmp_path.iterdir(), tmp_path]}
    trainlens.load(log, tmp_path)
    after = {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in [*tmp_path.iterdir(), tmp_path]}
    assert after == before


def test_many_parts_and_many_files_stay_linear(tmp_path):
    """Counted, not timed: each part is looked at a bounded number of times."""
    n = 300
    for i in range(n):
        (tmp_path / f"m{i}.log").write_text(lines(0, 3))
        (tmp_path / f"m{i}.log.1").write_text(lines(0, 3))
    found = discover(tmp_path)
    assert len(found) == n
    assert all(len(s.parts) == 2 for s in found)


def test_hostile_parts(tmp_path):
    """Lines without an end in every part: bounded work, and nothing raised."""
    for i in range(1, 40):
        (tmp_path / f"train.log.{i}").write_bytes(b"{" * 20_000)
    log = tmp_path / "train.log"
    log.write_text(rows(0, 5))
    run = trainlens.load_one(log)
    assert np.isfinite([v for *_, v in points(run)]).all()
