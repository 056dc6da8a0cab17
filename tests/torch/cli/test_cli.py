"""``trainlens-torch``: doctor, config, and how it fails."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from trainlens.errors import TrainlensError
from trainlens_torch.cli import _environment as environment
from trainlens_torch.cli import cli
from trainlens_torch.cli import doctor as doctoring
from trainlens_torch.config import PRESETS, SPECS, TrainingConfig


def run(*arguments):
    result = CliRunner().invoke(cli, [str(one) for one in arguments], standalone_mode=False)
    if isinstance(result.exception, TrainlensError):
        return 2, "", f"trainlens-torch: {result.exception}"
    if result.exception is not None:
        raise result.exception
    return result.return_value, result.stdout, result.stderr


def shell(*arguments):
    command = [sys.executable, "-m", "trainlens_torch", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


# --- the group ------------------------------------------------------------------------------------


def test_every_file_is_a_command():
    folder = Path(environment.__file__).parent
    files = {p.stem.replace("_", "-") for p in folder.glob("[!_]*.py")}
    with cli.make_context("x", ["--help"], resilient_parsing=True) as context:
        assert set(cli.list_commands(context)) == files >= {"doctor", "config"}
        assert all(cli.get_command(context, name).help for name in files)
        assert cli.get_command(context, "environment") is None


@pytest.mark.parametrize(
    "arguments", [["--help"], ["doctor", "--help"], ["config", "show", "--help"]]
)
def test_help_needs_no_torch(arguments):
    code = (
        "import sys; from trainlens_torch.cli import main\n"
        f"sys.argv = ['trainlens-torch', *{arguments!r}]\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "Usage: trainlens-torch" in done.stdout


def test_an_error_is_one_line_and_exit_code_2():
    done = shell("config", "show", "--set", "optimiser.lr=1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "trainlens-torch: there is no setting 'optimiser.lr'; did you mean 'optimizer.lr'?\n"
    )
    assert shell("config", "shew").returncode == 2
    assert shell("--version").returncode == 0


# --- config ---------------------------------------------------------------------------------------


def test_show_has_every_setting():
    code, out, _ = run("config", "show", "--preset", "safety", "--set", "optimizer.lr=5e-4")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[1:]] == list(SPECS)
    assert "0.0005 *" in out
    _, short, _ = run("config", "show", "--changed", "--set", "optimizer.lr=5e-4")
    assert short == "TrainingConfig\noptimizer: lr=0.0005\n"
    _, text, _ = run("config", "show", "--json")
    document = json.loads(text)
    assert document["schema"] == "trainlens.config/1"
    assert TrainingConfig.from_dict(document["config"]) == TrainingConfig()


def test_help_explains_every_setting():
    told = CliRunner().invoke(cli, ["config", "show", "--help"]).output
    assert [path for path in SPECS if f"{path} = " not in told] == []


def test_show_writes_and_applies_a_patch(tmp_path):
    source, patch, out = tmp_path / "a.yaml", tmp_path / "patch.json", tmp_path / "b.toml"
    source.write_text("optimizer: {lr: 1e-3}\n")
    patch.write_text('{"schema": "trainlens.patch/1", "patch": {"lr.scale": 0.1}}')
    code, _, told = run("config", "show", source, "--patch", patch, "-o", out, "--changed")
    assert code == 0
    assert told == "optimizer.lr: 0.001 -> 0.0001 (lr.scale=0.1)\n"
    assert out.read_text() == "[optimizer]\nlr = 0.0001\n"


def test_check(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"adaptive_lr": {"patience": 9}, "training": {"lr_first": 5e-4}}')
    code, out, told = run("config", "check", path)
    assert code == 0
    assert told == "training.lr_first is read as optimizer.lr=0.0005\n"
    assert out == (
        "adaptive_lr.patience has no effect: adaptive_lr.mode is off\n"
        "Good: 2 settings differ from the defaults.\n"
    )
    path.write_text('{"batch": {"effective": 9}}')
    code, out, told = run("config", "check", path)
    assert (code, out) == (2, "")
    assert told.startswith(f"trainlens-torch: {path}: batch.effective is 9, but")
    assert run("config", "check", tmp_path / "none.json")[0] == 2


def test_presets():
    _, out, _ = run("config", "presets")
    assert [line.split()[0] for line in out.splitlines()] == list(PRESETS)
    _, told, _ = run("config", "presets", "large_model", "safety")
    assert told.strip() == str(TrainingConfig.preset("large_model", "safety"))


# --- doctor ---------------------------------------------------------------------------------------


def statuses(text):
    return {one["name"]: one["status"] for one in json.loads(text)["checks"]}


def test_a_good_place(tmp_path):
    pytest.importorskip("torch")
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.bin").write_bytes(b"1")
    before = sorted(os.listdir(tmp_path))
    code, out, _ = run("doctor", "-o", tmp_path / "runs" / "new", "--data", data, "--json")
    document = json.loads(out)
    assert sorted(os.listdir(tmp_path)) == before
    assert document["schema"] == "trainlens.doctor/1"
    assert document["packages"]["numpy"]
    found = statuses(out)
    assert (found["python"], found["torch"], found["output"], found["data"]) == ("ok",) * 4
    assert document["ready"] is (code == 0) is ("fault" not in found.values())


def test_bad_data_is_a_fault(tmp_path):
    empty, file = tmp_path / "empty", tmp_path / "file"
    empty.mkdir()
    file.write_bytes(b"")
    for path, said in ((tmp_path / "none", "does not exist"), (empty, "holds no file"),
                       (file, "is empty")):  # fmt: skip
        code, out, _ = run("doctor", "-o", tmp_path, "--data", path)
        assert code == 1
        assert f"FAULT  data: {path} {said}" in out
        assert out.endswith("Not ready: 1 fault.\n")


def test_an_output_that_is_a_file(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"1")
    code, out, _ = run("doctor", "-o", file / "runs", "--json")
    assert (code, statuses(out)["output"]) == (1, "fault")


def test_an_output_that_cannot_be_written(tmp_path, monkeypatch):
    def refuse(**options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(environment.tempfile, "TemporaryFile", refuse)
    (check,) = environment.disk(tmp_path)
    assert (check.name, check.status) == ("output", "fault")
    assert check.told.endswith("cannot be written to: Permission denied")


def test_without_torch(monkeypatch, tmp_path):
    monkeypatch.setattr(doctoring, "_torch", lambda: (None, ""))
    code, out, _ = run("doctor", "-o", tmp_path)
    assert code == 1
    assert "FAULT  torch: torch is not installed; pip install 'trainlens[torch]'" in out
    check = environment.torch(None, "libcudart.so.12 is missing")
    assert "cannot be imported: libcudart.so.12" in check.told


@pytest.mark.parametrize(
    ("version", "status"), [("2.3.1", "fault"), ("2.4.0+cu121", "ok"), ("3.0.0a0+git1", "ok")]
)
def test_versions_of_torch(version, status):
    assert environment.torch(SimpleNamespace(__version__=version)).status == status


def test_old_python():
    assert environment.python((3, 9, 1)).status == "fault"
    assert environment.python((3, 10, 0)).status == "ok"


GIB = 2**30


def a_torch(*, gpus=(), mps=False, cuda="12.4", broken=False):
    def mem_get_info(i):
        if broken:
            raise RuntimeError("CUDA error: unknown\nmore")
        return gpus[i]

    return SimpleNamespace(
        cuda=SimpleNamespace(
            is_available=lambda: bool(gpus),
            device_count=lambda: len(gpus),
            get_device_properties=lambda i: SimpleNamespace(name=f"H{i}"),
            mem_get_info=mem_get_info,
        ),
        backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: mps)),
        version=SimpleNamespace(cuda=cuda),
    )


@pytest.mark.parametrize(
    ("given", "status", "said"),
    [
        (a_torch(gpus=[(70 * GIB, 80 * GIB)]), "ok", "GPU 0: H0, CUDA 12.4, 70.0 of 80.0 GiB free"),
        (a_torch(gpus=[(1 * GIB, 80 * GIB)]), "note", "GPU 0: H0, CUDA 12.4, 1.0 of 80.0 GiB free"),
        (a_torch(gpus=[(1, 1)], broken=True), "fault", "does not answer: CUDA error: unknown"),
        (a_torch(mps=True), "ok", "Metal (mps)"),
        (a_torch(), "note", "torch was built for CUDA 12.4, but finds no GPU"),
        (a_torch(cuda=None), "note", "no GPU in use by this torch: the CPU trains"),
    ],
)
def test_devices(given, status, said):
    (check,) = environment.device(given)
    assert check.status == status
    assert said in check.told
    assert "\n" not in check.told


@pytest.mark.parametrize(
    ("available", "status"), [(None, "note"), (0.1, "fault"), (1.0, "note"), (9.0, "ok")]
)
def test_memory(available, status):
    assert environment.memory(available).status == status


@pytest.mark.parametrize(("free", "status"), [(0.1, "fault"), (1.0, "note"), (9.0, "ok")])
def test_room_on_the_disk(tmp_path, monkeypatch, free, status):
    usage = SimpleNamespace(free=free * GIB, total=100 * GIB)
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda folder: usage)
    output, disk = environment.disk(tmp_path)
    assert (output.status, disk.name, disk.status) == ("ok", "disk", status)


def test_many_files_are_not_counted_to_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "_MOST", 2)
    for i in range(5):
        (tmp_path / str(i)).write_bytes(b"1")
    assert environment.data(tmp_path).told.endswith("more than 2 files")
    single = environment.data(tmp_path / "0")
    assert single.status == "ok"
