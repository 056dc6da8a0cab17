"""CatBoost trainings: JSON log, tables, growth, damage, and the real folder."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

import trainlens
from trainlens.chunk import Chunk
from trainlens.readers import catboost
from trainlens.run import Run

META: dict[str, Any] = {
    "test_sets": ["test"],
    "test_metrics": [{"best_value": "Min", "name": "RMSE"}, {"best_value": "Max", "name": "R2"}],
    "learn_metrics": [{"best_value": "Min", "name": "RMSE"}],
    "launch_mode": "Train",
    "parameters": "",
    "iteration_count": 1000,
    "learn_sets": ["learn"],
    "name": "experiment",
}
Points = dict[tuple[str, str | None], list[tuple[int, float]]]


def entry(i: int, **more: Any) -> str:
    row = {"learn": [1 / (i + 1)], "iteration": i, "passed_time": i * 0.25,
           "remaining_time": 9.5, "test": [2 / (i + 1), i * 0.01], **more}  # fmt: skip
    return json.dumps(row, separators=(",", ":"))


def document(entries: Iterable[str], meta: dict[str, Any] | None = None, close: bool = True) -> str:
    head = json.dumps(META if meta is None else meta, separators=(",", ":"))
    return '{\n"meta":' + head + ',\n"iterations":[\n' + ",\n".join(entries) + "\n]}" * close


def tables(n: int) -> dict[str, str]:
    rows = [json.loads(entry(i)) for i in range(n)]
    learn = "".join(f"{r['iteration']}\t{r['learn'][0]!r}\n" for r in rows)
    test = "".join(f"{r['iteration']}\t{r['test'][0]!r}\t{r['test'][1]!r}\n" for r in rows)
    left = "".join(f"{i}\t{int(i * 250)}\t9500\n" for i in range(n))
    return {
        "learn_error.tsv": "iter\tRMSE\n" + learn,
        "test_error.tsv": "iter\tRMSE\tR2\n" + test,
        "time_left.tsv": "iter\tPassed\tRemaining\n" + left,
    }


def make(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def gather(*chunks: Chunk) -> Points:
    found: Points = {}
    for chunk in chunks:
        for c in chunk.columns:
            rows = zip(c.step.tolist(), c.value.tolist(), strict=True)
            found.setdefault((c.name, c.split), []).extend(rows)
    return found


def read(path: Path) -> Chunk:
    return catboost.open_source(catboost.find(path)[0]).poll(final=True)


def truth(n: int, times: bool = True) -> Points:
    rows = [json.loads(entry(i)) for i in range(n)]
    found: Points = {
        ("RMSE", "train"): [(i, r["learn"][0]) for i, r in enumerate(rows)],
        ("RMSE", "val"): [(i, r["test"][0]) for i, r in enumerate(rows)],
        ("R2", "val"): [(i, r["test"][1]) for i, r in enumerate(rows)],
    }
    if times:
        found["passed_time", None] = [(i, r["passed_time"]) for i, r in enumerate(rows)]
        found["remaining_time", None] = [(i, 9.5) for i in range(n)]
    return found


def kinds(chunk: Chunk) -> list[str]:
    return [n.kind for n in chunk.notices]


JSON = "catboost_training.json"


def test_a_whole_training(tmp_path: Path) -> None:
    folder = make(tmp_path / "info", {JSON: document(map(entry, range(20))), **tables(20)})
    chunk = read(folder)
    assert gather(chunk) == truth(20)
    assert chunk.notices == ()
    assert chunk.config == {
        "planned_steps": 1000,
        "name": "experiment",
        "launch_mode": "Train",
        "learn_sets": ["learn"],
        "test_sets": ["test"],
        "best_value": {"RMSE": "Min", "R2": "Max"},
    }
    units = {c.name: (c.kind, c.unit) for c in chunk.columns}
    assert units == {"RMSE": ("loss", ""), "R2": ("", ""), "passed_time": ("", "s"),
                     "remaining_time": ("", "s")}  # fmt: skip
    run = Run("r", "r", "catboost").extend(chunk)
    assert run["RMSE", "val"].value[3] == 0.5


@pytest.mark.parametrize("missing", [JSON, "learn_error.tsv", "test_error.tsv", "time_left.tsv"])
def test_any_file_may_be_missing(tmp_path: Path, missing: str) -> None:
    files = {JSON: document(map(entry, range(8))), **tables(8)}
    del files[missing]
    folder = make(tmp_path / "x", files)
    assert catboost.sniff(folder) == 0.98
    assert gather(read(folder)) == truth(8)


def test_a_file_named_alone(tmp_path: Path) -> None:
    folder = make(tmp_path / "x", {JSON: document(map(entry, range(8))), **tables(3)})
    assert catboost.sniff(folder / JSON) == 0.98
    assert gather(read(folder / JSON)) == truth(8)
    learn = read(folder / "learn_error.tsv")
    assert gather(learn) == {("RMSE", "train"): truth(3)["RMSE", "train"]}


def test_several_evaluation_sets(tmp_path: Path) -> None:
    meta = {**META, "test_sets": ["test0", "test1"], "parameters": '{"depth": 6}'}
    rows = [
        json.dumps({"learn": [0.1], "iteration": i, "test0": [0.2, 0.3], "test1": [0.4, 0.5]})
        for i in range(3)
    ]
    folder = make(tmp_path / "x", {JSON: document(rows, meta)})
    chunk = read(folder)
    assert set(gather(chunk)) == {("RMSE", "train"), ("RMSE", "val"), ("R2", "val"),
                                  ("RMSE", "test1"), ("R2", "test1")}  # fmt: skip
    assert chunk.config["parameters"] == {"depth": 6}
    nested = json.dumps({"learn": [0.1], "iteration": 0, "test": [[0.2, 0.3], [0.4, 0.5]]})
    found = gather(read(make(tmp_path / "y", {JSON: document([nested])})))
    assert found["R2", "val"] == [(0, 0.3)]
    assert found["R2", "test1"] == [(0, 0.5)]


def test_values_that_are_no_numbers(tmp_path: Path) -> None:
    rows = [entry(0), entry(1).replace("[0.5]", "[nan]"), entry(2, learn=[])]
    chunk = read(make(tmp_path / "x", {JSON: document(rows)}))
    found = gather(chunk)["RMSE", "train"]
    assert [s for s, _ in found] == [0, 1]
    assert found[1][1] != found[1][1]
    assert chunk.notices == ()


def test_a_torn_document_goes_on_in_the_tables(tmp_path: Path) -> None:
    text = document(map(entry, range(20)))
    cut = text.index('"iteration":12')
    folder = make(tmp_path / "x", {JSON: text[:cut], **tables(20)})
    chunk = read(folder)
    assert gather(chunk) == truth(20)
    assert [(n.kind, n.lost) for n in chunk.notices] == [("torn-tail", 0)]
    alone = read(folder / JSON)
    assert gather(alone) == truth(12)
    assert [(n.kind, n.lost) for n in alone.notices] == [("torn-tail", 1)]


def test_a_damaged_entry_is_taken_from_the_tables(tmp_path: Path) -> None:
    text = document(map(entry, range(20))).replace('"iteration":7', '"iterat!on":7')
    folder = make(tmp_path / "x", {JSON: text, **tables(20)})
    chunk = read(folder)
    assert gather(chunk) == truth(20)
    assert [(n.kind, n.lost) for n in chunk.notices] == [("corrupt", 0)]
    alone = read(folder / JSON)
    assert [s for s, _ in gather(alone)["RMSE", "val"]] == [i for i in range(20) if i != 7]
    assert [(n.kind, n.lost) for n in alone.notices] == [("corrupt", 1)]


def test_an_iteration_far_ahead_does_not_shut_out_the_rest(tmp_path: Path) -> None:
    text = document(map(entry, range(20))).replace('"iteration":7,', '"iteration":907,')
    chunk = read(make(tmp_path / "x", {JSON: text}) / JSON)
    assert [s for s, _ in gather(chunk)["RMSE", "val"]] == [i for i in range(20) if i != 7]
    assert "out of order" in chunk.notices[0].message


def test_every_cut_of_the_last_ten_entries(tmp_path: Path) -> None:
    rows = [entry(i) for i in range(10)]
    text = document(rows)
    path = make(tmp_path / "x", {}) / JSON
    ends = [text.index(row) + len(row) for row in rows]
    for cut in range(text.index(rows[0]) + 1, len(text) + 1):
        path.write_text(text[:cut])
        complete = sum(end <= cut for end in ends)
        chunk = read(path)
        found = gather(chunk)
        assert found.get(("RMSE", "val"), []) == truth(complete)["RMSE", "val"], cut
        assert bool(set(kinds(chunk)) & {"torn-tail", "unfinished"}) == (cut < len(text))


def test_every_cut_of_a_table(tmp_path: Path) -> None:
    text = tables(10)["learn_error.tsv"]
    path = make(tmp_path / "x", {}) / "learn_error.tsv"
    for cut in range(len("iter\tRMSE\n"), len(text) + 1):
        path.write_text(text[:cut])
        chunk = read(path)
        complete = text[:cut].count("\n") - 1
        assert gather(chunk).get(("RMSE", "train"), []) == truth(complete)["RMSE", "train"]
        assert ("torn-tail" in kinds(chunk)) == (text[cut - 1] != "\n")


@pytest.mark.parametrize("seed", range(12))
def test_growth_gives_what_one_look_gives(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    n = 25
    folder = make(tmp_path / "x", {})
    final = tables(n)
    written = dict.fromkeys(final, 0)
    reader = catboost.open_source(catboost.find(folder)[0])
    (folder / JSON).write_text('{\n"meta":')
    chunks = [reader.poll()]
    done = 0
    while done < n or any(written[name] < len(text) for name, text in final.items()):
        done = min(n, done + rng.randrange(4))
        # The brackets at the end give way to the next entry, which may be half written.
        text = document(map(entry, range(done)))
        if done < n and rng.random() < 0.5:
            text = document(map(entry, range(done)), close=False) + ",\n" * (done > 0)
            text += entry(done)[: rng.randrange(30)]
        (folder / JSON).write_text(text)
        for name, whole in final.items():
            written[name] = min(len(whole), written[name] + rng.randrange(120))
            (folder / name).write_text(whole[: written[name]])
        chunks.append(reader.poll())
    (folder / JSON).write_text(document(map(entry, range(n))))
    chunks.append(reader.poll())
    chunks.append(reader.poll(final=True))
    assert gather(*chunks) == gather(read(folder)) == truth(n)
    assert [k for c in chunks for k in kinds(c)] == []
    assert reader.poll(final=True).columns == ()


def test_a_second_training_in_the_same_folder(tmp_path: Path) -> None:
    folder = make(tmp_path / "x", {JSON: document(map(entry, range(9)))})
    reader = catboost.open_source(catboost.find(folder)[0])
    assert gather(reader.poll()) == truth(9)
    (folder / JSON).write_text(document(entry(i, passed_time=7.0) for i in range(3)))
    chunk = reader.poll()
    assert gather(chunk)["passed_time", None] == [(i, 7.0) for i in range(3)]
    assert "replaced" in kinds(chunk)


def test_damage_costs_what_it_hits(tmp_path: Path) -> None:
    rng = random.Random(8)
    rows = [entry(i) for i in range(40)]
    text = document(rows).encode()
    places = [text.index(row.encode()) for row in rows]
    path = make(tmp_path / "x", {}) / JSON
    expected = dict(truth(40)["RMSE", "val"])
    for _ in range(300):
        at, n, kind = rng.randrange(places[0], len(text)), rng.randrange(1, 200), rng.randrange(3)
        hit = (at, min(at + (1, n, 0)[kind], len(text)))
        inner = (bytes([text[at] ^ (1 << rng.randrange(8))]), b"", rng.randbytes(n))[kind]
        path.write_bytes(text[: hit[0]] + inner + text[hit[1] :])
        chunk = read(path)
        found = dict(gather(chunk).get(("RMSE", "val"), []))
        whole = [
            i
            for i, (start, row) in enumerate(zip(places, rows, strict=True))
            if start + len(row) <= hit[0] or start >= hit[1]
        ]
        # Bytes glued to an entry may open or close one: its neighbour is hit as well.
        lost = [i for i in whole if i not in found]
        assert len(lost) <= 1, (kind, at)
        assert sum(found.get(i) != expected[i] for i in whole if i not in lost) <= 1
        if len(found) < 40 and kind != 1:
            assert {"corrupt", "torn-tail"} & set(kinds(chunk)), (kind, at)


HOSTILE = {
    "braces": b'{"meta":{"launch_mode":1,"learn_metrics":[]},"iterations":[' + b"{" * 900_000,
    "closed": b'{"meta":{"launch_mode":1,"learn_metrics":[]},"iterations":[' + b"{}" * 450_000,
    "text": b'{"meta":{"launch_mode":1,"learn_metrics":[]},"iterations":[{' + b"a" * 900_000,
    "deep": b'{"learn_metrics":[],"launch_mode":1,"meta":' + b"[" * 900_000 + b'"iterations":[',
    "keys": b'{"meta":{"launch_mode":1,"learn_metrics":1},"iterations":[{'
    + b'"iteration" :' * 70_000 + b"}",
    "same": b'{"meta":{"launch_mode":1,"iteration_count":-1},"iterations":['
    + b'{"iteration":1,"learn":[1]},' * 35_000,
    "long": b'{"meta":{"launch_mode":1,"iteration_count":1e999},"iterations":['
    + b'{"iteration":1,"learn":[' + b"1," * 400_000 + b"1]}]}",
    "gaps": b'{"meta":{"launch_mode":1,"learn_sets":5,"test_sets":{}},"iterations":['
    + b"".join(b'{"iteration":%d,"learn":[1]}x' % i for i in range(30_000)),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_documents_are_read_to_their_end(tmp_path: Path, name: str) -> None:
    folder = make(tmp_path / "x", {"learn_error.tsv": "iter\tA\n" + "1\t" * 300_000})
    (folder / JSON).write_bytes(HOSTILE[name])
    catboost.sniff(folder)
    reader = catboost.open_source(catboost.find(folder)[0])
    chunks = [reader.poll(), reader.poll(final=True)]
    assert sum(len(c.notices) for c in chunks) < 320
    assert any(c.notices for c in chunks)
    assert sum(len(c.columns) for c in chunks) <= 1000


def test_the_real_folder(real_logs: Path) -> None:
    (folder,) = [p.parent for p in (real_logs / "catboost").rglob("catboost_training.json")]
    chunk = read(folder)
    found = gather(chunk)
    assert chunk.notices == ()
    with open(folder / JSON) as file:
        rows = json.load(file)["iterations"]
    assert len(rows) == 568
    for place, name in enumerate(("Logloss", "Accuracy")):
        assert found[name, "train"] == [(r["iteration"], r["learn"][place]) for r in rows]
        assert found[name, "val"] == [(r["iteration"], r["test"][place]) for r in rows]
    assert found["passed_time", None] == [(r["iteration"], r["passed_time"]) for r in rows]
    for name, split in (("learn_error.tsv", "train"), ("test_error.tsv", "val")):
        with open(folder / name) as file:
            for row in csv.DictReader(file, delimiter="\t"):
                at = int(row["iter"])
                assert found["Logloss", split][at] == (at, float(row["Logloss"]))
                assert found["Accuracy", split][at] == (at, float(row["Accuracy"]))
    assert found["Logloss", "val"][547][1] == pytest.approx(0.6535, abs=5e-4)


def test_the_tables_alone_hold_the_same(real_logs: Path, tmp_path: Path) -> None:
    (folder,) = [p.parent for p in (real_logs / "catboost").rglob("catboost_training.json")]
    copies = {p.name: p.read_text() for p in folder.glob("*.tsv")}
    bare = gather(read(make(tmp_path / "x", copies)))
    whole = gather(read(folder))
    for key in (("Logloss", "train"), ("Accuracy", "val")):
        assert bare[key] == whole[key]
    assert bare["passed_time", None][567] == (567, 2.086)


def test_a_folder_is_one_run_with_its_event_files(real_logs: Path) -> None:
    (folder,) = [p.parent for p in (real_logs / "catboost").rglob("catboost_training.json")]
    names = {p.relative_to(folder).as_posix() for p in catboost.files(catboost.find(folder)[0])}
    assert names == {
        JSON, "learn_error.tsv", "test_error.tsv", "time_left.tsv",
        "learn/events.out.tfevents", "test/events.out.tfevents",
    }  # fmt: skip
    runs = trainlens.load(real_logs / "catboost")
    assert [r.format for r in runs] == ["catboost"]
    assert runs[0]["Logloss", "val"].step[-1] == 567


def test_nothing_else_is_claimed(real_logs: Path) -> None:
    paths = [p for p in real_logs.rglob("*")]
    own = {p for p in (real_logs / "catboost").rglob("*") if p.name.endswith("_error.tsv")}
    own |= {p for p in (real_logs / "catboost").rglob(JSON)}
    own |= {p.parent for p in (real_logs / "catboost").rglob(JSON)}
    assert {p for p in paths if catboost.sniff(p) > 0} == own
