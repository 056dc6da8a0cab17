"""Tables as spreadsheets, pandas, R and people write them: exact points of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainlens.readers import csv, load
from trainlens.readers.base import Source
from trainlens.run import Run

Points = dict[str, list[tuple[int, float]]]


def points(run: Run) -> Points:
    """Steps and values of each series, named ``split/metric``."""
    return {
        f"{split}/{metric}": list(zip(s.step.tolist(), s.value.tolist(), strict=True))
        for (metric, split), s in run.series.items()
    }


LOGS: dict[str, tuple[str, Points]] = {
    "dots-between-thousands": (
        "step;loss\n1.000;0,95\n2.000;0,85\n10.000;0,5\n",
        {"train/loss": [(1000, 0.95), (2000, 0.85), (10000, 0.5)]},
    ),
    "points-are-points": (
        "step;loss\n1;1.500\n2;1.250\n",
        {"train/loss": [(1, 1.5), (2, 1.25)]},
    ),
    "quoted-decimal-commas": (
        'step,loss\n1,"0,95"\n2,"1,250"\n',
        {"train/loss": [(1, 0.95), (2, 1.25)]},
    ),
    "thousands-between-tabs": (
        "step\tloss\n1,000\t0.9\n2,000\t0.8\n10,000\t1,250.5\n",
        {"train/loss": [(1000, 0.9), (2000, 0.8), (10000, 1250.5)]},
    ),
    "a-list-of-devices-is-no-number": (
        'step,loss,devices\n1,2.951,"0,1"\n2,1.250,"0,1"\n',
        {"train/loss": [(1, 2.951), (2, 1.25)]},
    ),
    "quoted-thousands": (
        'step,loss,tokens\n500,2.5,"900"\n"1,000",2.0,"1,234,567"\n"1,500",1.5,"2,000,000"\n',
        {
            "train/loss": [(500, 2.5), (1000, 2.0), (1500, 1.5)],
            "train/tokens": [(500, 900.0), (1000, 1234567.0), (1500, 2000000.0)],
        },
    ),
    "epoch-of-epochs": (
        "epoch,loss\n1/100,0.9\n2/100,0.8\n",
        {"train/loss": [(1, 0.9), (2, 0.8)]},
    ),
    "epoch-in-words": (
        "Epoch,Train Loss\nEpoch 5,0.9\nEpoch 6,0.8\n",
        {"train/Loss": [(5, 0.9), (6, 0.8)]},
    ),
    "title-before-the-header": (
        "Training log of run 7\nepoch;loss\n1;0.9\n2;0.8\n",
        {"train/loss": [(1, 0.9), (2, 0.8)]},
    ),
    "two-header-lines-of-pandas": (
        ",train,train,val\n,loss,acc,loss\nepoch,,,\n3,0.9,0.1,1.0\n4,0.8,0.2,0.95\n",
        {
            "train/loss": [(3, 0.9), (4, 0.8)],
            "train/acc": [(3, 0.1), (4, 0.2)],
            "val/loss": [(3, 1.0), (4, 0.95)],
        },
    ),
    "lists-and-notes-beside-a-loss": (
        'epoch,loss,note,conf\n1,0.9,"a, b","[[1 2]\n [3 4]\n [5 6]]"\n2,0.8,x,"[[1 2]\n [3 4]]"\n',
        {"train/loss": [(1, 0.9), (2, 0.8)]},
    ),
    "spinning-up": (
        "Epoch\tAverageEpRet\tTotalEnvInteracts\n0\t20.5\t4000\n1\t30.5\t8000\n",
        {"train/AverageEpRet": [(4000, 20.5), (8000, 30.5)]},
    ),
    "steps-of-an-episode-are-its-length": (
        "episode,steps,reward\n1,200,10.5\n2,180,12.5\n",
        {"train/steps": [(1, 200.0), (2, 180.0)], "train/reward": [(1, 10.5), (2, 12.5)]},
    ),
    "a-row-a-split": (
        "epoch,model,set,loss\n1,a,train,0.9\n1,a,test,1.0\n2,a,train,0.8\n",
        {"train/loss": [(1, 0.9), (2, 0.8)], "test/loss": [(1, 1.0)]},
    ),
    "index-of-pandas-and-a-loss": (
        ",loss\n0,0.9\n1,0.8\n",
        {"train/loss": [(0, 0.9), (1, 0.8)]},
    ),
    "sets-of-xgboost": (
        ",validation_0-rmse,validation_1-rmse\n0,0.75,0.8\n1,0.65,0.7\n",
        {"val/rmse": [(0, 0.75), (1, 0.65)], "val/validation_1-rmse": [(0, 0.8), (1, 0.7)]},
    ),
    "marks-of-a-count": ('"Epoch #",Loss\n1,0.9\n2,0.8\n', {"train/Loss": [(1, 0.9), (2, 0.8)]}),
}


@pytest.mark.parametrize("name", LOGS)
def test_points_are_exact(tmp_path: Path, name: str) -> None:
    text, expected = LOGS[name]
    path = tmp_path / "log.csv"
    path.write_text(text)
    assert csv.sniff(path) > 0
    assert points(load(path)[0]) == expected


@pytest.mark.parametrize("name", LOGS)
def test_growing_by_a_byte_gives_the_same(tmp_path: Path, name: str) -> None:
    text, expected = LOGS[name]
    path = tmp_path / "log.csv"
    data = text.encode()
    path.write_bytes(data[:1])
    reader = csv.open_source(Source("csv", path))
    run = Run("x", str(path), "csv").extend(reader.poll())
    for end in range(2, len(data) + 1):
        with path.open("ab") as file:
            file.write(data[end - 1 : end])
        run = run.extend(reader.poll())
    assert points(run.extend(reader.poll(final=True))) == expected


def test_names_in_latin_1_are_read(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes("epoch,loss,Übereinstimmung\n1,0.9,0.1\n2,0.8,0.2\n".encode("latin-1"))
    assert points(load(path)[0])["train/Übereinstimmung"] == [(1, 0.1), (2, 0.2)]


def test_an_export_of_tensorboard_has_the_split_of_its_run(tmp_path: Path) -> None:
    path = tmp_path / "run-exp_1_validation-tag-epoch_loss.csv"
    path.write_text("Wall time,Step,Value\n1700000000.5,0,2.5\n1700000001.5,1,2.25\n")
    assert points(load(path)[0]) == {"val/epoch_loss": [(0, 2.5), (1, 2.25)]}


@pytest.mark.parametrize(
    "text",
    [
        ",precision,recall,f1-score,support\n0,0.9,0.8,0.85,100\n1,0.8,0.9,0.84,90\n",
        "image_id,y_true,y_pred,loss\na.png,0,0,0.1\nb.png,1,1,0.9\n",
        "number,value,params_lr,state\n0,0.5,0.1,COMPLETE\n1,0.4,0.2,COMPLETE\n",
        "lr,batch_size,val_loss\n0.1,8,0.5\n0.01,8,0.4\n",
        "date,steps,calories\n2020-01-01,10000,200\n2020-01-02,12000,250\n",
        ",train_model,test_model\n0,1.5,2.5\n1,1.4,2.4\n",
    ],
)
def test_other_tables_are_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "table.csv"
    path.write_text(text)
    assert csv.sniff(path) == 0.0
