"""What trainings report of themselves in records: anomalies, flags, errors."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainlens.chunk import Chunk
from trainlens.readers._json import fast
from trainlens.readers._json.reader import JsonLines
from trainlens.readers._json.reported import MOST_KINDS, kind_of
from trainlens.run import Run
from trainlens.schema import header_line, record_line

Points = dict[str, list[tuple[int, float]]]


def read(tmp_path: Path, *rows: dict[str, Any], head: bytes = b"") -> Chunk:
    path = tmp_path / "log.jsonl"
    path.write_bytes(head + b"".join((json.dumps(row) + "\n").encode() for row in rows))
    return JsonLines(path).poll(final=True)


def points(*chunks: Chunk) -> Points:
    found: Points = {}
    for chunk in chunks:
        for c in chunk.columns:
            name = f"{c.split}:{c.name}" if c.split else c.name
            found.setdefault(name, []).extend(zip(c.step.tolist(), c.value.tolist(), strict=True))
    return found


def test_each_report_is_a_point_at_its_step(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    said = {20: ["loss_spike"], 30: ["loss_spike", "LowCoverage", "loss_spike"]}
    lines = [record_line(i, 1.0, {"loss": 1.0}, anomalies=said.get(i, ())) for i in range(50)]
    lines.append(record_line(50, 1.0, {"loss": 2.0}, split="val", anomalies=["loss_spike"]))
    path.write_bytes(header_line("x", 0.0) + b"".join(lines))
    found = points(JsonLines(path).poll(final=True))
    assert found["anomalies/loss_spike"] == [(20, 1.0), (30, 1.0), (30, 1.0)]
    assert found["anomalies/low_coverage"] == [(30, 1.0)]
    assert found["val:anomalies/loss_spike"] == [(50, 1.0)]
    assert len(found["loss"]) == 50


def test_an_object_tells_its_kind_its_value_and_why(tmp_path: Path) -> None:
    items = [
        {"type": "loss_spike", "value": 3.2, "message": "loss 9.1 is 3.2 sigma up"},
        {"kind": "nan", "value": float("nan")},
        {"name": "low coverage", "value": 0},
        {"detail": "gate polarized at 0.97"},
        {},
    ]
    chunk = read(tmp_path, {"step": 1, "loss": 1.0}, {"step": 2, "loss": 1.0, "anomalies": items})
    found = points(chunk)
    assert found["anomalies/loss_spike"] == [(2, 3.2)]
    for kind in ("nan", "low_coverage", "gate_polarized", "unnamed"):
        assert found[f"anomalies/{kind}"] == [(2, 1.0)]
    assert [(n.kind, n.where, n.message, n.step) for n in chunk.notices] == [
        ("event", "log.jsonl, record 2, step 2", "loss_spike: loss 9.1 is 3.2 sigma up", 2),
        ("event", "log.jsonl, record 2, step 2", "gate polarized at 0.97", 2),
    ]


@pytest.mark.parametrize(
    ("text", "kind"),
    [("loss_spike", "loss_spike"), ("Loss spike: 3.1", "loss_spike"), ("NaN", "nan"),
     ("gradient explosion detected (norm=4e5)", "gradient_explosion"), ("!!", "unnamed"),
     ("loss of head 3 spiked", "loss_of_head"), ("", "unnamed"), ("é", "unnamed")],
)  # fmt: skip
def test_kinds(text: str, kind: str) -> None:
    assert kind_of(text) == kind


def test_numbers_are_no_reports(tmp_path: Path) -> None:
    rows = [{"step": i, "loss": 1.0, "errors": [0.1, 0.2], "warnings": i} for i in range(3)]
    chunk = read(tmp_path, *rows)
    assert points(chunk) == {"loss": [(i, 1.0) for i in range(3)],
                             "warnings": [(i, float(i)) for i in range(3)]}  # fmt: skip
    assert [n.message for n in chunk.notices] == ["no numbers in: errors (list)"]


def test_empty_lists_are_worth_no_word(tmp_path: Path) -> None:
    rows = [{"step": i, "loss": 1.0, "errors": [], "anomalies": [], "warnings": []}
            for i in range(3)]  # fmt: skip
    chunk = read(tmp_path, *rows)
    assert set(points(chunk)) == {"loss"}
    assert chunk.notices == ()


def test_an_error_is_told_once_with_its_count(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"step": i, "loss": 1.0, "error": None} for i in range(40)]
    rows[10]["error"] = "CUDA out of memory. Tried to allocate 2.00 GiB"
    rows[30]["error"] = "CUDA out of memory. Tried to allocate 3.00 GiB"
    rows[35] |= {"error": "none", "event": "epoch_end", "status": "failed", "msg": "all is well"}
    chunk = read(tmp_path, *rows)
    assert [n.message for n in chunk.notices if n.kind == "event"] == [
        f"{rows[10]['error']} (2 times, the last at step 30)", "status: failed",
    ]  # fmt: skip
    assert [n.step for n in chunk.notices if n.kind == "event"] == [10, 35]


def test_many_texts_and_many_kinds_stay_few(tmp_path: Path) -> None:
    letters = ["".join(chr(97 + d) for d in (i // 26, i % 26)) for i in range(200)]
    rows = [{"step": i, "loss": 1.0, "error": f"bad {a}", "anomalies": [f"kind x{a}"]}
            for i, a in enumerate(letters)]  # fmt: skip
    chunk = read(tmp_path, *rows)
    found = [name for name in points(chunk) if name.startswith("anomalies/")]
    assert len(found) == MOST_KINDS + 1
    assert sum(len(points(chunk)[name]) for name in found) == 200
    events = [n.message for n in chunk.notices if n.kind == "event"]
    assert len(events) == 21
    assert events[-1].startswith("180 more messages")


def test_flags_mean_nothing_but_what_they_say() -> None:
    from trainlens.roles import role_of

    assert role_of("is_best_loss", "flag").name == "other"
    assert role_of("lr_changed", "flag").name == "other"
    assert role_of("diverged", "flag").name == role_of("loss_is_nan", "flag").name == "anomaly"
    assert role_of("cuda_oom", "flag").name == "out-of-memory"


items = st.one_of(
    st.sampled_from(["loss_spike", "nan", "é", 'a"b', "x: 1", "", "\ud800", "\n"]),
    st.none(),
    st.integers(0, 3),
    st.dictionaries(st.sampled_from(["type", "value", "message"]),
                    st.one_of(st.sampled_from(["a", "b c"]), st.floats()), max_size=3),
    st.lists(st.just("deep"), max_size=1),
)  # fmt: skip
cells = st.one_of(st.lists(items, max_size=3), st.booleans(), st.none(), st.just("oom"),
                  st.floats())  # fmt: skip
names = ["anomalies", "errors", "Warnings", "error", "event", "oom", "a/errors", "loss"]
rows = st.dictionaries(st.sampled_from(names), cells, max_size=4)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(rows, max_size=15), st.lists(st.integers(0, 1500), max_size=6), st.booleans())
def test_any_growth_and_no_compiler_give_the_same(
    tmp_path: Path, log: list[dict[str, Any]], cuts: list[int], header: bool
) -> None:
    data = header_line("x", 1.0) if header else b""
    data += b"".join((json.dumps({"step": i, **row}) + "\n").encode() for i, row in enumerate(log))
    whole, growing = tmp_path / "log.jsonl", tmp_path / "grow" / "log.jsonl"
    growing.parent.mkdir(exist_ok=True)
    whole.write_bytes(data)
    growing.write_bytes(b"")
    reader, chunks = JsonLines(growing), []
    for begin, end in pairwise([0, *sorted(min(c, len(data)) for c in cuts), len(data)]):
        with open(growing, "ab") as file:
            file.write(data[begin:end])
        chunks.append(reader.poll())
    chunks.append(reader.poll(final=True))
    expected = JsonLines(whole).poll(final=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "COMPILED", False)
        slow = JsonLines(whole).poll(final=True)
    assert repr(points(slow)) == repr(points(expected))
    assert sorted(map(str, slow.notices)) == sorted(map(str, expected.notices))
    assert {k: repr(v) for k, v in points(*chunks).items()} == {
        k: repr(v) for k, v in points(expected).items()
    }
    places = {n.where for c in chunks for n in c.notices if n.kind == "event"}
    assert places == {n.where for n in expected.notices if n.kind == "event"}


def test_reports_in_a_list_of_records(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    rows = [{"step": i, "loss": 1.0, "anomalies": ["spike"] * (i == 2)} for i in range(4)]
    path.write_text(json.dumps(rows))
    run = Run("x", "x", "jsonl").extend(JsonLines(path).poll(final=True))
    assert run["anomalies/spike"].step.tolist() == [2]
    assert run["anomalies/spike"].role.name == "anomaly"
