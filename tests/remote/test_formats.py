"""Every format, behind a URL and here: the same names, points, settings and notices."""

import pytest
from same import assert_equal

import trainlens

KINDS = ["aim", "catboost", "csv_lightning", "csv_yolo", "hf_trainer_state", "jsonl", "mlflow",
         "mlperf_mllog", "tensorboard", "text", "wandb"]  # fmt: skip


def put(faulty, folder, there):
    for path in folder.rglob("*"):
        if path.is_file():
            faulty.put(f"{there}/{path.relative_to(folder)}", path.read_bytes())


@pytest.mark.parametrize("kind", KINDS)
def test_logs_of_every_format_are_the_same_there(faulty, real_logs, kind):
    folder = real_logs / kind
    if not folder.is_dir():
        pytest.skip(f"no {kind} among the real logs")
    put(faulty, folder, f"b/{kind}")
    here, there = trainlens.load(folder), trainlens.load(f"faulty://b/{kind}")
    assert_equal(there, here)
    url = f"faulty://b/{kind}"
    assert [(n.kind, n.where) for n in there.notices] == [
        (n.kind, n.where.replace(str(folder), url)) for n in here.notices
    ]


def test_the_sample_runs_are_the_same_there(faulty, sample_runs):
    put(faulty, sample_runs, "b/sample_runs")
    here = trainlens.load(sample_runs)
    assert_equal(trainlens.load("faulty://b/sample_runs"), here)
    assert_equal(trainlens.load("faulty://b/sample_runs/*_*"), here)
    faulty.asked.clear()
    assert_equal(trainlens.load("faulty://b/sample_runs"), here)
    assert faulty.asked == []
