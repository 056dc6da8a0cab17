"""The command line: output, exit codes, and one clear line for bad input."""

import json
import os
import shutil
import subprocess
import sys

import pandas as pd
import pytest
from click.testing import CliRunner

import trainlens
from tests.shell import run
from trainlens import cli

FINDING_KEYS = {
    *("rule", "status", "severity", "metric", "split", "first_step", "last_step", "message"),
    *("evidence", "causes", "prescriptions"),
}
LINE = '{{"step": {0}, "loss": {1}, "lr": 0.001}}\n'


@pytest.fixture
def healthy(tmp_path):
    path = tmp_path / "healthy.jsonl"
    path.write_text("".join(LINE.format(i, 3 / (1 + i) ** 0.3) for i in range(400)))
    return path


@pytest.fixture
def broken(tmp_path):
    path = tmp_path / "broken.jsonl"
    values = [3 / (1 + i) ** 0.3 if i < 300 else "NaN" for i in range(400)]
    path.write_text("".join(LINE.format(i, v) for i, v in enumerate(values)))
    return path


def test_diagnose_a_healthy_run(healthy):
    code, out, _ = run("diagnose", healthy)
    assert code == 0
    assert "healthy" in out


def test_diagnose_a_broken_run(broken):
    code, out, _ = run("diagnose", broken)
    assert code == 1
    assert "non-finite" in out
    assert "300" in out
    assert run("diagnose", broken, "--fail-on", "never")[0] == 0


def test_diagnose_json_is_the_contract(broken):
    code, out, _ = run("diagnose", broken, "--json")
    document = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert code == 1
    assert document["schema"] == "trainlens.diagnosis/1"
    (only,) = document["runs"]
    assert only.keys() >= {
        "name",
        "path",
        "format",
        "attempts",
        "steps",
        "verdict",
        "results",
        "notices",
    }
    assert only["steps"] == [0, 399]
    assert only["verdict"] == "failing"
    (fault,) = [r for r in only["results"] if r["rule"] == "non-finite" and r["status"] == "fail"]
    assert fault.keys() >= FINDING_KEYS
    assert (fault["metric"], fault["split"], fault["first_step"]) == ("loss", "train", 300)
    assert fault["prescriptions"][0].keys() == {"text", "patch"}


def rules_that_ran(*arguments):
    document = json.loads(run("diagnose", "--json", *arguments)[1])
    return {result["rule"] for result in document["runs"][0]["results"]}


def test_select_and_ignore(broken):
    assert rules_that_ran(broken, "--select", "non-finite") == {"non-finite"}
    assert "non-finite" not in rules_that_ran(broken, "--ignore", "non-finite")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--select", "no-such"], ["unknown rule 'no-such'"]),
        (["--profile", "no-such"], ["unknown profile", "default, seed"]),
        (["--set", "loss-spike"], ["RULE.SETTING=VALUE"]),
        (["--set", "loss-spike.no=1"], ["no setting 'no'", "it has:"]),
        (["--set", "no-such.a=1"], ["unknown rule 'no-such'"]),
    ],
)
def test_a_wrong_option_is_one_line(healthy, arguments, words):
    code, out, err = run("diagnose", healthy, *arguments)
    assert code == 2
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    for word in words:
        assert word in err


def test_ls(healthy, broken, tmp_path):
    code, out, _ = run("ls", tmp_path)
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split()[:3] == ["run", "format", "steps"]
    assert [line.split()[:2] for line in lines[1:]] == [["broken", "jsonl"], ["healthy", "jsonl"]]


def test_strict_fails_when_a_record_was_lost(healthy):
    with open(healthy, "a") as file:
        file.write('{"step": 400, "lo')
    assert run("ls", healthy)[0] == 0
    code, out, _ = run("ls", healthy, "--strict")
    assert code == 1
    assert "1 record lost" in out
    assert run("diagnose", healthy, "--strict")[0] == 1
    assert "torn-tail" in run("diagnose", healthy)[1]


def test_rules_list_and_advice():
    code, out, _ = run("rules")
    assert code == 0
    assert "loss-spike" in out
    code, out, _ = run("rules", "loss-spike")
    assert code == 0
    assert "--set loss-spike." in out
    assert run("rules", "no-such")[0] == 2


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_export_keeps_every_point(broken, tmp_path, ending):
    target = tmp_path / f"table.{ending}"
    code, _, err = run("export", broken, "-o", target)
    assert code == 0
    assert "800 rows" in err
    read = {
        "csv": pd.read_csv,
        "jsonl": lambda p: pd.DataFrame([json.loads(x) for x in p.read_text().splitlines()]),
        "parquet": pd.read_parquet,
    }[ending]
    frame = read(target)
    loss = frame[frame["metric"] == "loss"]
    assert loss["step"].tolist() == list(range(400))
    assert loss["value"].isna().sum() == 100
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_export_to_nowhere_leaves_nothing(healthy, tmp_path):
    code, _, err = run("export", healthy, "-o", tmp_path / "no" / "table.csv")
    assert code == 2
    assert "cannot be written" in err
    assert run("export", healthy, "-o", tmp_path / "table.xlsx")[0] == 2


def test_plot(healthy, tmp_path):
    for ending, magic in (("png", b"\x89PNG"), ("svg", b"<?xml")):
        target = tmp_path / f"p.{ending}"
        assert run("plot", healthy, "--metric", "train/loss", "-o", target)[0] == 0
        assert target.read_bytes().startswith(magic)
    code, _, err = run("plot", healthy, "--metric", "nope", "-o", tmp_path / "q.png")
    assert code == 2
    assert "there are: train/loss, train/lr" in err
    assert not (tmp_path / "q.png").exists()


def test_report(healthy, broken, tmp_path):
    out = tmp_path / "out"
    code, _, err = run("report", healthy, broken, "-o", out, "--format", "html", "--format", "md")
    assert code == 0
    names = {p.name for p in out.iterdir()}
    assert {"index.html", "report.md", "report.json"} <= names
    assert len([n for n in names if n.endswith(".png")]) >= 2
    assert "index.html" in err
    assert json.loads((out / "report.json").read_text())["schema"] == "trainlens.diagnosis/1"
    assert run("report", broken, "-o", out, "--fail-on", "error")[0] == 1


def test_report_into_a_file_is_one_line(healthy, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = run("report", healthy, "-o", tmp_path / "file")
    assert code == 2
    assert len(err.strip().splitlines()) == 1
    assert (tmp_path / "file").read_text() == ""


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: None, ["no such file or folder"]),
        (lambda p: p.mkdir(), ["no training log in this folder", "jsonl"]),
        (lambda p: p.write_bytes(b""), ["is empty"]),
        (lambda p: p.write_bytes(bytes(range(256)) * 40), ["no record could be read"]),
        (lambda p: p.write_text("hello\n"), ["no intact record"]),
        (lambda p: p.symlink_to("nowhere"), ["a link to nothing"]),
        (
            lambda p: p.write_text(
                "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
            ),
            ["git-LFS pointer", "git lfs pull"],
        ),
    ],
)
@pytest.mark.parametrize("command", [["ls"], ["diagnose"], ["report", "-o", "OUT"]])
def test_bad_input_is_one_line(tmp_path, make, words, command):
    path = tmp_path / "events.out.tfevents.1.host"
    make(path)
    code, out, err = run(*[a.replace("OUT", str(tmp_path / "out")) for a in command], path)
    assert code == 2
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    assert str(path) in err
    for word in words:
        assert word in err
    assert not (tmp_path / "out").exists()


def test_a_bad_file_among_good_ones_is_named(healthy, tmp_path):
    (tmp_path / "events.out.tfevents.1.host").write_text(
        "version https://git-lfs.github.com/spec/v1\n"
    )
    code, out, err = run("ls", tmp_path)
    assert code == 0
    assert "healthy" in out
    assert "lfs-pointer" in err


def test_hostile_text_does_not_reach_the_terminal(tmp_path):
    path = tmp_path / "x.jsonl"
    name = "loss\x1b]0;owned\x07\x1b[31m"
    path.write_text("".join(json.dumps({"step": i, name: float("nan")}) + "\n" for i in range(50)))
    for command in (["diagnose", path], ["ls", path]):
        out = "".join(run(*command)[1:])
        assert "\x1b" not in out
        assert "\x07" not in out


def command(*arguments, **more):
    return subprocess.Popen(
        [sys.executable, "-m", "trainlens", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more,
    )  # fmt: skip


def test_help_loads_nothing_heavy():
    code = (
        "import sys, trainlens.cli as c\n"
        "try: c.cli.main(['--help'], standalone_mode=False)\n"
        "finally: print([m for m in ('numpy', 'pandas', 'scipy', 'matplotlib', 'torch', 'aim', "
        "'tensorboard', 'jinja2', 'rich') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"


def test_a_closed_pipe_is_no_traceback(healthy):
    process = command("diagnose", healthy, "--json")
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() in (0, 1)


def test_ctrl_c_is_no_traceback(healthy, monkeypatch):
    def interrupted(*paths, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("trainlens.readers.Survey", interrupted)
    code, out, err = run("ls", healthy)
    assert (code, out, err.strip()) == (130, "", "interrupted")


def test_a_pipe_is_refused_not_waited_for(tmp_path):
    fifo = tmp_path / "live.jsonl"
    os.mkfifo(fifo)
    code, _, err = run("ls", fifo)
    assert code == 2
    assert "not a regular file" in err


def test_a_report_without_any_verdict_is_still_a_report(tmp_path):
    log = tmp_path / "a.jsonl"
    log.write_text("".join(f'{{"step": {i}, "thing": {i * 0.5}}}\n' for i in range(100)))
    assert run("report", log, "-o", tmp_path / "out", "--no-plots")[0] == 0
    code, out, _ = run("diagnose", log)
    assert code == 2
    assert "inconclusive" in out


def event_file(path, steps=40):
    """An event file of torch's writer, as bytes, so that a test can damage it."""
    from tensorboard.compat.proto import event_pb2
    from tensorboard.summary.writer.record_writer import RecordWriter

    with open(path, "wb") as file:
        writer = RecordWriter(file)
        for step in range(steps):
            event = event_pb2.Event(wall_time=1.7e9 + step, step=step)
            value = event.summary.value.add()
            value.tag, value.simple_value = "loss", 3.0 / (1 + step)
            writer.write(event.SerializeToString())


def test_a_flipped_byte_costs_one_record_and_is_named(tmp_path):
    path = tmp_path / "events.out.tfevents.1.host"
    event_file(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    (run_,) = json.loads(run("diagnose", path, "--json")[1])["runs"]
    (notice,) = run_["notices"]
    assert (notice["kind"], notice["lost"]) == ("corrupt", 1)
    assert "bytes" in notice["where"]
    assert run("export", path, "-o", tmp_path / "t.csv")[0] == 0
    assert len(pd.read_csv(tmp_path / "t.csv")) == 39
    code, out, _ = run("ls", path, "--strict")
    assert (code, "1 record lost" in out) == (1, True)


def test_tokens_of_nan_and_infinity_are_values(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"step": 1, "loss": NaN}\n{"step": 2, "loss": -Infinity}\n{"step": 3, "loss": 1}\n'
    )
    frame = trainlens.load_one(path).frame()
    assert [str(v) for v in frame["value"]] == ["nan", "-inf", "1.0"]


def test_an_aim_folder_without_its_index_is_read_whole(tmp_path, sample_runs):
    pytest.importorskip("aimrocks", reason="the aim extra is not installed")
    shutil.copytree(sample_runs / "handpose_aim", tmp_path / "a")
    shutil.rmtree(tmp_path / "a" / ".aim" / "meta" / "index")
    code, out, _ = run("ls", tmp_path / "a")
    assert code == 0
    assert sorted(line.split()[:2] for line in out.splitlines()[1:]) == [
        ["fixed-dropout", "aim"],
        ["progressive-dropout", "aim"],
    ]
    assert all("2\u202f440" in line for line in out.splitlines()[1:])


def test_ls_all_names_every_file_and_why_it_is_no_log(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "loss": 1.0}\n')
    (tmp_path / "hparams.yaml").write_text("lr: 0.1\n")
    (tmp_path / "evil\x1b[2J.txt").write_text("no log\n")
    done = CliRunner().invoke(cli.cli, ["ls", "--all", str(tmp_path)])
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert lines[0] == f"jsonl           {tmp_path}/a.jsonl"
    assert "\x1b" not in done.output
    assert (
        lines[2]
        == f"–               {tmp_path}/hparams.yaml  (holds settings, no points of a training)"
    )
