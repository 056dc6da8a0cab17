"""The dialects of CSV, each with its known answer."""

import json

import numpy as np
import pytest

from trainlens.readers import csv as reader
from trainlens.readers._lines import BLOCK
from trainlens.readers.base import Source
from trainlens.run import Run


def read(path, key=""):
    chunk = reader.open_source(Source("csv", path, key)).poll(final=True)
    return Run("r", str(path), "csv").extend(chunk)


@pytest.fixture
def table(tmp_path):
    """Write a file and read it; it has to be claimed."""

    def make(text, name="metrics.csv", claimed=True):
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        assert (reader.sniff(path) > 0) is claimed
        return read(path)

    return make


def points(run, metric, split="train"):
    s = run[metric, split]
    return list(zip(s.step.tolist(), s.value.tolist(), strict=True))


def said(run, kind):
    return [n.message for n in run.notices if n.kind == kind]


def test_lightning_sparse_columns(table):
    run = table(
        "epoch,step,train_loss_step,train_loss_epoch,val_loss\n"
        "0,49,2.5,,\n0,99,2.25,,\n0,99,,,3.0\n0,99,,2.375,\n1,149,2.0,,\n"
    )
    assert points(run, "loss_step") == [(49, 2.5), (99, 2.25), (149, 2.0)]
    assert points(run, "loss", "val") == [(99, 3.0)]
    assert run["loss_epoch"].epoch.tolist() == [0.0]
    assert run.notices == ()


def test_settings_beside_the_file(tmp_path, table):
    (tmp_path / "hparams.yaml").write_text("lr: 0.5\nmodel: !!python/object:a.B {size: 3}\n")
    (tmp_path / "opt.yaml").write_text("weights: y.pt\nhyp: {lr0: 0.01}\n")
    run = table("epoch,loss\n0,1\n")
    assert run.config == {
        "lr": 0.5, "model": {"size": 3}, "weights": "y.pt", "hyp": {"lr0": 0.01}
    }  # fmt: skip


def test_keras_without_an_epoch_counts_rows(table):
    run = table("val_loss,val_accuracy,loss,accuracy\n2.3,0.1,2.4,0.11\n2.2,NA,2.3,0.12\n")
    assert points(run, "loss") == [(0, 2.4), (1, 2.3)]
    assert run["loss"].epoch.tolist() == [0, 1]
    assert points(run, "accuracy", "val") == [(0, 0.1)]
    assert said(run, "assumed") == ["no step and no epoch in this log: each row counts as an epoch"]


def test_keras_with_an_epoch(table):
    run = table("epoch,accuracy,loss\n0,0.5,1\n1,0.6,0.5\n")
    assert points(run, "loss") == [(0, 1.0), (1, 0.5)]
    assert run["loss"].epoch.tolist() == [0, 1]


def test_yolo_pads_its_cells(table):
    run = table(
        "                  epoch,                   time,         train/box_loss,"
        "       metrics/mAP50(B),                 lr/pg0\n"
        "                      1,                 3.5,                 1.25,"
        "                 0.5,                 0.001\n",
        "results.csv",
    )
    assert points(run, "box_loss") == [(1, 1.25)]
    assert run["metrics/mAP50(B)"].role.direction == "max"
    assert run["time"].role.name == "system"


def test_monitor_steps_are_summed_lengths(table):
    run = table('#{"t_start": 1600000000.5, "env_id": "A-v1"}\nr,l,t\n-1.5,10,2.0\n2,5,3.5\n')
    assert points(run, "r") == [(10, -1.5), (15, 2.0)]
    assert run["r"].wall_time.tolist() == [1600000002.5, 1600000004.0]
    assert points(run, "l") == [(10, 10.0), (15, 5.0)]
    assert set(run.config) == {"t_start", "env_id"}
    assert len(run.series) == 2


def test_stable_baselines_progress(table):
    run = table(
        "rollout/ep_rew_mean,time/fps,time/iterations,time/time_elapsed,time/total_timesteps,"
        "train/loss\n20.5,1000,1,2,2048,\n30,900,2,4,4096,0.5\n",
        "progress.csv",
    )
    by_name = {s.name: s for s in run.series.values()}
    assert by_name["rollout/ep_rew_mean"].step.tolist() == [2048, 4096]
    assert by_name["rollout/ep_rew_mean"].role.direction == "max"
    assert points(run, "loss") == [(4096, 0.5)]
    assert np.isnan(run["loss"].wall_time).all()


def test_percent_strings_keep_their_unit(table):
    run = table("Progress,total timesteps,ep_rew_mean\n0.0%,10,1\n0.82%,20,2\n5,30,3\n")
    assert points(run, "Progress") == [(10, 0.0), (20, 0.82)]
    assert run["Progress"].unit == "%"
    assert "Progress" in said(run, "corrupt")[0]


def test_other_units_and_wrapped_numbers(table):
    run = table(
        "step,loss,eta,gpu\n1,tensor(0.5),12 ms,1.5GB\n"
        "2,\"tensor(0.25, device='cuda:0', requires_grad=True)\",13ms,2GB\n3,[0.125],1 s,3GB\n"
    )
    assert points(run, "loss") == [(1, 0.5), (2, 0.25), (3, 0.125)]
    assert points(run, "eta") == [(1, 12.0), (2, 13.0)]
    assert (run["eta"].unit, run["gpu"].unit) == ("ms", "GB")


def test_padding_nan_before_the_first_number_is_no_value(table):
    run = table("step,novelty,loss,reward\n1,nan,nan,1\n2,nan,nan,2\n3,0.5,nan,3\n4,nan,nan,4\n")
    np.testing.assert_array_equal(run["novelty"].value, [0.5, np.nan])
    assert run["novelty"].step.tolist() == [3, 4]
    np.testing.assert_array_equal(run["loss"].value, [np.nan] * 4)
    (padding,) = said(run, "skipped")
    assert "2 nan before the first number of 'novelty'" in padding


def test_rows_with_a_value_more_than_names(table):
    rows = "".join(f"{i},0.{i},5.{i},7.{i}\n" for i in range(4))
    run = table("Epoch, Train_Loss, Train_Cos \n" + rows, "loss_log.txt")
    assert points(run, "column 4") == [(i, 7 + i / 10) for i in range(4)]
    assert any("kept as column 4" in m for m in said(run, "assumed"))


def test_rows_with_a_value_less_than_names(table):
    rows = "".join(f"{i},0.{i}\n" for i in range(4))
    run = table("epoch,train_loss,train_acc\n" + rows, "log.txt")
    assert points(run, "loss") == [(i, i / 10) for i in range(4)]
    assert ("acc", "train") not in run.series
    assert any("first 2 names" in m for m in said(run, "assumed"))


def test_a_single_row_of_another_width_is_damage(table):
    run = table("step,loss,lr\n1,0.5,1\n2,0.4,13,0.3,1\n4,0.21\n5,0.1,1\n")
    assert points(run, "loss") == [(1, 0.5), (5, 0.1)]
    lost = [n for n in run.notices if n.kind == "corrupt"]
    assert [(n.where, n.lost) for n in lost] == [("metrics.csv, line 3", 1),
                                                 ("metrics.csv, line 4", 1)]  # fmt: skip


def test_a_second_header_begins_a_segment(table):
    run = table("epoch,loss,acc\n0,1,0.5\n1,0.5,0.6\nepoch,loss,acc\n0,2,0.4\n")
    assert points(run, "loss") == [(0, 1.0), (1, 0.5), (0, 2.0)]
    assert run.attempts == 2


def test_a_second_header_with_other_columns(table):
    run = table("epoch,loss\n0,1\n1,0.5\nepoch,lr,loss,val_loss\n0,0.1,2,3\n")
    assert points(run, "loss") == [(0, 1.0), (1, 0.5), (0, 2.0)]
    assert points(run, "lr") == [(0, 0.1)]
    assert points(run, "loss", "val") == [(0, 3.0)]


@pytest.mark.parametrize(("count", "kept"), [(20, 1), (21, 22)])
def test_many_nan_of_a_training_loss_are_no_padding(table, count, kept):
    rows = "".join(f"{i},nan,nan\n" for i in range(count)) + f"{count},1.5,0.5\n"
    run = table("step,loss,val_acc\n" + rows)
    assert len(run["loss"]) == kept
    assert len(run["acc", "val"]) == 1


def test_a_second_run_that_is_nan_throughout_is_data(table):
    run = table("epoch,loss\n0,1\n1,0.5\nepoch,loss\n0,nan\n1,nan\n")
    np.testing.assert_array_equal(run["loss"].value, [1, 0.5, np.nan, np.nan])


def test_wandb_chart_export_is_a_run_a_name(tmp_path):
    path = tmp_path / "wandb_export.csv"
    path.write_text(
        '"Step","a - b - loss","a - b - loss__MIN","a - b - loss__MAX","c - loss","c - _step"\n'
        '"1","0.5","0.5","0.5","","1"\n"3","0.25","0.25","0.25","7","3"'
    )
    sources = reader.find(path)
    assert [s.key for s in sources] == ["a - b", "c"]
    first, second = (read(path, s.key) for s in sources)
    assert points(first, "loss") == [(1, 0.5), (3, 0.25)]
    assert points(second, "loss") == [(3, 7.0)]
    assert len(first.series) == len(second.series) == 1
    assert [n.kind for n in first.notices] == ["skipped"]


def test_too_many_runs_are_one_with_longer_names(tmp_path):
    path = tmp_path / "all.csv"
    rows = "".join(f"r{i},loss,1,{i}\n" for i in range(1001))
    path.write_text("run,metric,step,value\n" + rows)
    (source,) = reader.find(path)
    run = read(path, source.key)
    assert points(run, "loss") == [(1, 0.0)]
    assert points(run, "r1000 - loss") == [(1, 1000.0)]
    assert run.points == 1001


def test_interleaved_runs_are_told_apart(tmp_path):
    path = tmp_path / "all.csv"
    rows = [(f"r{i % 7}", i // 7, i / 3) for i in range(40_000)]
    text = "".join(f"{r},loss,{s},{v!r}\n" for r, s, v in rows)
    path.write_text("run,metric,step,value\n" + text)
    assert path.stat().st_size > 3 * BLOCK
    for source in reader.find(path):
        run = read(path, source.key)
        assert points(run, "loss") == [(s, v) for r, s, v in rows if r == source.key]
        assert run.notices == ()


def test_damage_among_interleaved_runs_is_told_once_at_its_line(tmp_path):
    path = tmp_path / "all.csv"
    rows = [f"r{i % 2},loss,{i},0.5\n" for i in range(20)]
    rows[13] = "r1,loss,13,0.#\n"
    path.write_text("run,metric,step,value\n" + "".join(rows))
    first, second = (read(path, source.key) for source in reader.find(path))
    assert first.notices == ()
    assert [n.where for n in second.notices] == ["all.csv, line 15"]


def test_tensorboard_export(table):
    run = table("Wall time,Step,Value\n1.6e9,10,0.5\n1600000060.5,20,0.25\n",
                "run-exp_1-tag-train_loss.csv")  # fmt: skip
    assert points(run, "loss") == [(10, 0.5), (20, 0.25)]
    assert run["loss"].wall_time.tolist() == [1.6e9, 1600000060.5]


def test_mlflow_long_form(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(
        "run_uuid,key,value,timestamp,step,is_nan\n"
        "u1,train_loss,0.5,1600000000123,1,False\nu2,train_loss,9,1600000001123,1,False\n"
        "u1,val_loss,0.25,1600000002123,1,False\nu1,train_loss,0.125,1600000003123,2,False\n"
    )
    assert reader.sniff(path) == 0.9
    assert [s.key for s in reader.find(path)] == ["u1", "u2"]
    run = read(path, "u1")
    assert points(run, "loss") == [(1, 0.5), (2, 0.125)]
    assert points(run, "loss", "val") == [(1, 0.25)]
    np.testing.assert_allclose(run["loss"].wall_time, [1600000000.123, 1600000003.123])


@pytest.mark.parametrize("name", ["run,x", 'a "b"', "plain", "π"])
def test_export_is_read_back_exactly(tmp_path, name):
    from trainlens.chunk import Chunk, Column
    from trainlens.export import write_table
    from trainlens.run import Runs

    rng = np.random.default_rng(5)
    runs = []
    for run_name in (name, "other"):
        columns = []
        for metric, split in (("loss", "train"), ("loss", "val"), ("a/b", "train")):
            value = np.append(rng.standard_normal(40), [np.nan, np.inf, -np.inf])
            epoch = rng.choice([np.nan, 1.0, 2.5], 43)
            wall = 1.6e9 + rng.random(43) if metric == "loss" else np.full(43, np.nan)
            step = rng.integers(0, 1000, 43)
            columns.append(Column(metric, step, value, wall, epoch, split))
        runs.append(Run(run_name, "x", "jsonl").extend(Chunk(tuple(columns))))
    path = tmp_path / "out.csv"
    write_table(Runs(runs), path)
    sources = reader.find(path)
    assert [s.name for s in sources] == [name, "other"]
    for run, source in zip(runs, sources, strict=True):
        back = read(path, source.key)
        assert back.series.keys() == run.series.keys()
        for key, series in run.series.items():
            for field in ("step", "value", "wall_time", "epoch"):
                np.testing.assert_array_equal(getattr(back.series[key], field),
                                              getattr(series, field))  # fmt: skip


def test_an_index_without_a_name_is_no_metric(table):
    run = table(",epoch,loss\n0,1,0.5\n1,2,0.25\n")
    assert points(run, "loss") == [(1, 0.5), (2, 0.25)]
    assert len(run.series) == 1


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("step\tloss\n1\t0.5\n2\t1.25\n", "a.tsv"),
        ("step;loss\n1;0,5\n2;1,25\n", "a.csv"),
        ("sep=;\r\nstep;loss\r\n1;0.5\r\n2;1.25\r\n", "a.csv"),
        ("step|loss\n1|0.5\n2|1.25\n", "a.csv"),
        ('"step","loss"\r\n"1","0.5"\r\n"2","1.25"\r\n', "a.csv"),
        ("\ufeffstep,loss\n1,0.5\n2,1.25\n", "a.csv"),
        ("# made by x\n# step,loss\n1,0.5\n2,1.25\n", "a.txt"),
        ('#{"a": 1}\n\nstep, loss\n\n1, 0.5\n# pause\n2, 1.25\n', "a.csv"),
        ('step,loss,note\n1,0.5,"a, b"\n2,1.25,"two\nlines ""so"""\n', "a.csv"),
        ("step,loss\n<<<<<<< HEAD\n1,0.5\n=======\n2,1.25\n>>>>>>> b\n", "a.csv"),
        ("step,loss,\n1,0.5,\n2,1.25,\n", "a.csv"),
        ("loss,loss ,Step\n0.5,1,1.0\n1.25,1,2.0\n", "a.csv"),
    ],
)
def test_ways_of_writing_the_same_table(table, text, name):
    run = table(text, name)
    assert points(run, "loss") == [(1, 0.5), (2, 1.25)]


def test_two_columns_of_one_name_stay_apart(table):
    run = table("step,loss,loss\n1,0.5,7\n")
    assert points(run, "loss") == [(1, 0.5)]
    assert points(run, "loss (column 3)") == [(1, 7.0)]


def test_dates_become_times_and_durations_stay(table):
    run = table(
        "date,step,time,loss\n2024-01-02T03:04:05Z,1,0.25,2\n2024-01-02T03:05:05Z,2,0.5,1\n"
    )
    assert run["loss"].wall_time.tolist() == [1704164645.0, 1704164705.0]
    assert points(run, "time") == [(1, 0.25), (2, 0.5)]


def test_a_column_of_splits(table):
    run = table("epoch,phase,loss\n0,train,2\n0,val,3\n1,train,1\n1,val,2.5\n")
    assert points(run, "loss") == [(0, 2.0), (1, 1.0)]
    assert points(run, "loss", "val") == [(0, 3.0), (1, 2.5)]


def test_batches_within_epochs_run_on(table):
    rows = "".join(f"{e},{b},0.5\n" for e in range(3) for b in range(10))
    assert table("epoch,batch,loss\n" + rows)["loss"].step.tolist() == list(range(30))


def test_rows_without_a_step_take_that_of_their_neighbours(table):
    run = table("epoch,step,val_loss,loss\n5,,3,\n5,100,,2\n5,,2.5,\n6,200,,1\n")
    assert points(run, "loss", "val") == [(100, 3.0), (100, 2.5)]
    assert len(said(run, "assumed")) == 2


def test_fractional_epochs_do_not_become_steps(table):
    run = table("epoch,loss\n0.25,4\n0.5,3\n0.75,2\n")
    assert points(run, "loss") == [(0, 4.0), (1, 3.0), (2, 2.0)]
    assert run["loss"].epoch.tolist() == [0.25, 0.5, 0.75]


@pytest.mark.parametrize(("stem", "split"), [("learn", "train"), ("test", "test")])
def test_the_name_of_a_file_of_catboost_says_its_split(table, stem, split):
    run = table("iter\tLogloss\tAccuracy\n0\t0.5\t0.25\n", f"{stem}_error.tsv")
    assert points(run, "Logloss", split) == [(0, 0.5)]
    assert points(run, "Accuracy", split) == [(0, 0.25)]


def test_text_columns_are_named(table):
    run = table("step,loss,note\n1,0.5,good\n2,0.4,bad\n")
    assert said(run, "skipped") == ["no numbers in: note"]


def test_odd_cells_are_isolated(table):
    run = table('step,loss,acc\n1,0.5,0.1\n2,0.#,0.2\nx3,0.4,0.3\n4,0.3,"[1, 2]"\n5,1_0,0.5\n')
    assert points(run, "loss") == [(1, 0.5), (4, 0.3)]
    assert run["acc"].step.tolist() == [1, 2, 5]
    assert {n.where for n in run.notices} == {
        "metrics.csv, line 3", "metrics.csv, line 4", "metrics.csv, line 5", "metrics.csv, line 6"
    }  # fmt: skip


def test_header_alone_is_a_run_that_has_not_logged_yet(table):
    run = table("Epoch, Train_Loss, Best_Total \n", "loss_log.txt")
    assert [n.kind for n in run.notices] == ["empty"]
    assert run.series == {}


def test_first_words_of_a_comment_are_settings(table):
    run = table('#{"seed": 3, "nested": {"a": [1]}}\nstep,loss\n1,2\n')
    assert json.dumps(run.config) == '{"seed": 3, "nested": {"a": [1]}}'
