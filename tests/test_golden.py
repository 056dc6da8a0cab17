"""What every file of other people's logs gives: kept as a summary, so that no reader drifts.

``pytest tests/test_golden.py --update-golden`` writes the summaries anew; read the difference
before keeping it. The summaries hold facts about the logs, not the logs.
"""

import json
from pathlib import Path

import pytest

import trainlens
from trainlens.readers import account

GOLDEN = Path(__file__).parent / "golden"
PARTS = (
    "aim", "catboost", "chainer", "csv_keras", "csv_lightning", "csv_misc", "csv_rl", "csv_yolo",
    "detectron2", "hf_trainer_state", "jsonl", "mlflow", "mlperf_mllog", "mmengine", "pose",
    "tensorboard", "text", "wandb",
)  # fmt: skip


def summary(folder):
    """Formats of all files, and points, first and last step and value of all series."""
    runs = {}
    for run in trainlens.load(folder):
        runs[f"{Path(run.source).relative_to(folder)}:{run.name}"] = {
            "format": run.format,
            "settings": len(run.config),
            "notices": sorted({n.kind for n in run.notices}),
            "series": {
                f"{split}/{metric}": [
                    len(s), int(s.step[0]), float(s.value[0]), int(s.step[-1]), float(s.value[-1]),
                ]
                for (metric, split), s in sorted(run.series.items())
            },
        }  # fmt: skip
    files = {
        str(a.path.relative_to(folder)): a.format or f"none: {a.reason}" for a in account(folder)
    }
    return {"runs": runs, "files": files}


def compact(found):
    """As text: one line for each file, run property and series."""
    out = ["{", ' "files": {']
    out.append(",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in found["files"].items()))
    out.append(' },\n "runs": {')
    runs = []
    for name, run in found["runs"].items():
        series = ",\n".join(
            f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in run["series"].items()
        )
        rest = ", ".join(
            f"{json.dumps(k)}: {json.dumps(v)}" for k, v in run.items() if k != "series"
        )
        runs.append(f'  {json.dumps(name)}: {{{rest}, "series": {{\n{series}\n  }}}}')
    return "\n".join([*out, ",\n".join(runs), " }\n}\n"])


@pytest.mark.parametrize("part", PARTS)
def test_every_real_log_gives_what_it_gave(part, real_logs, request):
    found = summary(real_logs / part)
    path = GOLDEN / f"{part}.json"
    if request.config.getoption("--update-golden"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(compact(found))
    # NaN as a word: it must be equal to itself here.
    again = json.loads(json.dumps(found), parse_constant=str)
    assert again == json.loads(path.read_text(), parse_constant=str)


def test_there_is_a_summary_for_every_part(real_logs):
    assert sorted(PARTS) == sorted(p.name for p in real_logs.iterdir() if p.is_dir())
    assert sorted(PARTS) == sorted(p.stem for p in GOLDEN.glob("*.json"))


def test_all_815_files_are_accounted_for():
    known = [json.loads((GOLDEN / f"{part}.json").read_text())["files"] for part in PARTS]
    assert sum(map(len, known)) == 815
    assert all(text for files in known for text in files.values())
