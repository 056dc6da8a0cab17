"""Sniffing: one look at a path for all readers, and discovery that stays linear."""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from trainlens.readers import all_readers, discover
from trainlens.readers._csv import sniff as csv_sniff
from trainlens.readers._find import claim
from trainlens.readers._json import sniff as json_sniff
from trainlens.readers._look import HEAD, Look
from trainlens.readers._naming import name_runs
from trainlens.readers._places import Places
from trainlens.readers._text import sniff as text_sniff
from trainlens.readers.base import Source

RECORDS = "".join(json.dumps({"step": i, "loss": 1 / (i + 1)}) + "\n" for i in range(3000))


def opened(root, call):
    """How often each file below a folder is opened during a call."""
    found: Counter[str] = Counter()
    watching = [True]

    def hook(event, arguments):
        if watching[0] and event == "open" and isinstance(arguments[0], (str, os.PathLike)):
            place = os.fspath(arguments[0])
            if place.startswith(str(root)):
                found[os.path.relpath(place, root)] += 1

    sys.addaudithook(hook)
    try:
        call()
    finally:
        watching[0] = False
    return found


def test_a_look_is_what_the_path_holds(tmp_path):
    path = tmp_path / "a.log"
    data = random.Random(0).randbytes(3 * HEAD)
    for size in (0, 1, HEAD // 2, HEAD - 1, HEAD, HEAD + 1, 2 * HEAD, 3 * HEAD):
        path.write_bytes(data[:size])
        look = Look(path)
        assert look.begin(7) == data[: min(7, size)]
        assert look.head == data[: min(size, HEAD)]
        assert look.begin(7) == data[: min(7, size)]
        assert look.whole is (size < HEAD)
        begin, end = look.ends
        assert begin == data[: min(size, HEAD // 2)]
        assert end == data[max(len(begin), size - HEAD // 2) : size]
    assert (look.is_file, look.is_dir, look.name, look.suffix) == (True, False, "a.log", ".log")


DECODERS = """
import json, sys
import trainlens.readers
for path in sys.argv[2:]:
    trainlens.readers.discover(path)
if sys.argv[1] == "load":
    trainlens.readers.load(*sys.argv[2:])
own = [name.split(".") for name in sys.modules if name.startswith("trainlens.readers._")]
print(json.dumps(sorted({name[2] for name in own if len(name) > 3})))
"""


def decoders_for(*arguments):
    """Sub-packages of readers with any module that was imported."""
    command = [sys.executable, "-c", DECODERS, *map(str, arguments)]
    return set(json.loads(subprocess.run(command, capture_output=True, check=True).stdout))


@pytest.mark.parametrize("command", ["discover", "load"])
def test_a_log_of_json_needs_no_decoder_of_another_format(tmp_path, command):
    path = tmp_path / "run.jsonl"
    path.write_text(RECORDS)
    assert decoders_for(command, path) == {"_json"}
    assert decoders_for(command, tmp_path) == {"_json"}


def test_each_format_brings_only_its_own(tmp_path):
    table, text = tmp_path / "metrics.csv", tmp_path / "train.log"
    table.write_text("step,loss\n" + "".join(f"{i},{1 / (i + 1)}\n" for i in range(50)))
    text.write_text("".join(f"step {i} loss: {1 / (i + 1):.4f}\n" for i in range(50)))
    assert decoders_for("discover", table) == {"_csv"}
    # Any text may be a table until it has been looked at.
    assert decoders_for("discover", text) == {"_csv", "_text"}


def test_a_look_at_nothing_and_at_a_folder(tmp_path):
    for name in ("b", "a", "c"):
        (tmp_path / name).touch()
    folder = Look(tmp_path)
    assert (folder.is_dir, folder.is_file, list(folder.entries)) == (True, False, ["a", "b", "c"])
    assert Look.at(folder) is folder
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for path in (tmp_path / "absent", tmp_path / "a" / "below", loop):
        look = Look(path)
        assert (look.mode, look.is_file, look.is_dir) == (0, False, False)
        with pytest.raises(OSError, match=r"No such file|Not a dir|symbolic links"):
            _ = look.head


def test_readers_judge_a_path_and_a_look_alike_and_are_as_sure_as_they_say(real_logs):
    rng = random.Random(1)
    paths = sorted(p for p in real_logs.rglob("*") if p.is_file() or p.is_dir())
    for path in rng.sample(paths, min(200, len(paths))):
        shared = Look(path)
        for module in all_readers().values():
            if shared.is_dir and not getattr(module, "FOLDERS", False):
                continue
            sure = module.sniff(shared)
            assert sure == module.sniff(path), (module.FORMAT, path)
            assert 0 <= sure <= getattr(module, "SUREST", 1.0), (module.FORMAT, path)


def test_the_surest_reader_is_taken_the_first_of_them(real_logs):
    rng = random.Random(2)
    paths = sorted(p for p in real_logs.rglob("*") if p.is_file() and p.stat().st_size)
    for path in rng.sample(paths, min(120, len(paths))):
        if path.suffix in (".gz", ".zst", ".xz", ".bz2"):
            continue
        if path.read_bytes()[:2] in (b"\xff\xfe", b"\xfe\xff"):
            continue
        all_of_them = [(m.sniff(path), m) for m in all_readers().values()]
        confidence, best = max(all_of_them, key=lambda pair: pair[0])
        assert claim(path)[0] is (best if confidence > 0 else None), path


def test_a_file_that_is_no_log_is_opened_once(tmp_path):
    big = b"\x89PNG\r\n\x1a\n" + random.Random(0).randbytes(200_000)
    for name in ("a.png", "b.pt", "c.py", "notes", "d.json", "e.zip"):
        (tmp_path / name).write_bytes(big)
    (tmp_path / "run.jsonl").write_text(RECORDS)
    found = opened(tmp_path, lambda: discover(tmp_path))
    assert found.pop("run.jsonl") <= 3  # its head, its end, its name
    # Its head, and its end where the records of a benchmark may stand.
    assert sorted(found) == ["a.png", "b.pt", "c.py", "d.json", "e.zip", "notes"]
    assert max(found.values()) <= 2


def test_small_files_that_are_no_logs_are_opened_once(tmp_path):
    for i in range(20):
        (tmp_path / f"{i}.txt").write_text("hello\n" * 100)
    (tmp_path / "run.jsonl").write_text(RECORDS)
    found = opened(tmp_path, lambda: discover(tmp_path))
    del found["run.jsonl"]
    assert set(found.values()) == {1}


def test_places_know_links_and_what_lies_above(tmp_path):
    real = tmp_path / "a" / "b"
    real.mkdir(parents=True)
    (real / "x").touch()
    (tmp_path / "link").symlink_to(real)
    (real / "y").symlink_to(real / "x")
    places = Places()
    for path in (real / "x", tmp_path / "link" / "x", real / "y", real / ".." / "b" / "x"):
        assert places.add(path) == os.path.realpath(path) == str(real / "x")
    for path in (real / "x", real, tmp_path, tmp_path / "link", Path("/")):
        assert places.touch(path)
    assert places.touch(real / "x" / "below")
    assert not places.touch(tmp_path / "c")
    assert not places.touch(real / "z")


def test_the_same_runs_by_many_paths(tmp_path):
    for i in range(30):
        (tmp_path / f"{i:02}").mkdir()
        (tmp_path / f"{i:02}" / "metrics.jsonl").write_text(RECORDS[:400])
    files = sorted(tmp_path.glob("*/metrics.jsonl"))
    found = discover(tmp_path, *files, *sorted(tmp_path.iterdir()))
    assert [s.path for s in found] == files
    assert name_runs(found.sources, [tmp_path, *files]) == [f"{i:02}" for i in range(30)]


def test_names_begin_below_the_nearest_root(tmp_path):
    source = Source("jsonl", tmp_path / "a" / "b" / "c" / "x.jsonl")
    assert name_runs([source], [tmp_path]) == ["a/b/c/x"]
    assert name_runs([source], [tmp_path, tmp_path / "a" / "b", tmp_path / "a"]) == ["c/x"]
    assert name_runs([source], [source.path]) == ["x"]


def test_records_count_by_their_kind():
    rng = random.Random(3)
    values = [1, 2.5, None, True, "0.5", "nan", "word", [1], {"a": 1}, {"a": {"b": "x"}}, 10**30]
    rows = [
        {key: rng.choice(values) for key in rng.sample(["step", "loss", "id", "x"], 3)}
        for _ in range(400)
    ]
    kinds = json_sniff._kinds(rows)
    assert sum(n for _, n in kinds) == len(rows)
    assert len(kinds) < len(rows)
    for ask in (json_sniff.counts, json_sniff.tells, json_sniff._metrics, json_sniff._of_sample):
        assert sum(n * int(ask(row)) for row, n in kinds) == sum(int(ask(row)) for row in rows)


def test_a_deep_record_is_a_kind_as_well():
    row = {"step": 1, "loss": 0.5}
    for _ in range(900):
        row = {"a": row, "step": 1}
    assert json_sniff._kinds([row, row]) == [(row, 2)]


def test_texts_spared_the_search_for_rows_hold_none(monkeypatch):
    rng = random.Random(4)
    parts = ["loss", "step", "0.5", "nan", "none", "-", "  ", "epoch 3", "x=1", "7%", "# loss"]
    asked: list[int] = []
    cases = [
        "\n".join(" ".join(rng.sample(parts, rng.choice((1, 1, 1, 2)))) for _ in range(n)).encode()
        for n in (1, 2, 3, 4, 5, 8, 20)
        for _ in range(150)
    ]
    spared = [csv_sniff.confidence(Path("loss.txt"), data, True) for data in cases]
    monkeypatch.setattr(csv_sniff, "_may_go_on", lambda lines: asked.append(len(lines)) is None)
    whole = [csv_sniff.confidence(Path("loss.txt"), data, True) for data in cases]
    assert spared == whole
    assert len(asked) > 500
    assert max(whole) > 0


def test_numbers_of_a_column_at_once_or_one_by_one():
    rng = random.Random(5)
    cells = [
        "1",
        " 2.5",
        "nan",
        "1_000",
        "",
        "none",
        "1e400",
        "x",
        "5%",
        "\u0663",
        "-inf",
        "1" * 200,
    ]
    for _ in range(2000):
        column = rng.sample(cells, rng.randint(1, 4))
        if csv_sniff._are_numbers(column):
            assert all(map(csv_sniff.is_number, column))
            assert not any(map(csv_sniff.is_missing, column))
    assert csv_sniff._are_numbers(["1", " 2.5", "nan", "-inf", "1e400"])


def test_a_text_is_judged_as_if_all_its_lines_were_read(real_logs):
    files = sorted([*real_logs.rglob("*.log"), *real_logs.rglob("*.txt")])
    sure = Counter()
    for path in random.Random(6).sample(files, min(40, len(files))):
        begin, end = Look(path).ends
        begin, end = begin[:8000], end[-8000:]
        found = text_sniff.confidence(path, begin, end)
        sure[found] += 1
        lines = [s for s, _ in text_sniff._understood(text_sniff._lines(begin, end)) if s]
        records = [s for s in lines if s.placed and s.pairs and s.telling]
        places = {(s.epoch, s.step) for s in records}
        learns = any(map(text_sniff._learns, lines))
        if found == 0.5 and not text_sniff.two_columns(next(text_sniff._lines(begin, end))):
            assert len(records) >= 3
            assert learns
        elif found == 0.0 and begin.isascii() and path.suffix == ".log":
            assert not (learns and len(records) >= 3 and len(places) >= 2), path
    assert sure[0.5] > 3


def test_a_text_of_blank_ends_is_no_log():
    assert text_sniff.confidence(Path("a.log"), b"", b"") == 0
    assert text_sniff.confidence(Path("a.log"), b" \n\r\n", b"step 1 loss 2\nstep 2 loss 1\n") == 0
    three = b"".join(b"step %d loss 2.5\n" % i for i in range(3))
    assert text_sniff.confidence(Path("a.log"), b" \n\r\n", three) == 0.5
    assert text_sniff.confidence(Path("a.log"), three, b"") == 0.5
