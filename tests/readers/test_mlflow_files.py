"""MLflow's file store: lines, names, settings, growth, damage."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from trainlens.chunk import Chunk
from trainlens.errors import NotFound
from trainlens.readers import discover, mlflow
from trainlens.readers._mlflow.file_store import FileRun
from trainlens.run import Run

REAL = Path(__file__).parents[3] / "shared" / "real_logs" / "mlflow"
START = 1_628_697_792_090
Points = dict[str, list[tuple[int, str, float]]]


def lines(n: int) -> bytes:
    rng = random.Random(3)
    return b"".join(b"%d %r %d\n" % (START + 40 * i, rng.random() * 300, i) for i in range(n))


def make(folder: Path, metrics: dict[str, bytes], meta: str = "status: 3\n") -> Path:
    files = {f"metrics/{name}": data for name, data in metrics.items()}
    files |= {"meta.yaml": f"run_id: {folder.name}\n{meta}".encode()}
    return put(folder, files)


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def read(folder: Path) -> Chunk:
    return mlflow.open_source(mlflow.find(folder)[0]).poll(final=True)


def points(chunks: Iterable[Chunk]) -> Points:
    found: Points = {}
    for chunk in chunks:
        for c in chunk.columns:
            rows = zip(c.step.tolist(), c.value.tolist(), c.wall_time.tolist(), strict=True)
            found.setdefault(c.name, []).extend((s, repr(v), t) for s, v, t in rows)
    return found


def loop(data: bytes) -> list[tuple[int, str, float]]:
    """What a plain loop over the complete lines finds."""
    rows = [line.split() for line in data.decode().splitlines(keepends=True) if line[-1] == "\n"]
    return [(int(step), repr(float(value)), int(ms) / 1e3) for ms, value, step in rows]


def test_metrics_parameters_and_tags(tmp_path: Path) -> None:
    folder = make(
        tmp_path / "abc",
        {"train/loss": lines(3), "system/gpu_0": lines(2), "a\\b": lines(1)},
        "status: 3\nrun_name: my run\nstart_time: 1628697775478\nlifecycle_stage: active\n",
    )
    put(folder, {"params/lr": b"0.002", "params/opt/name": b"SGD", "params/n": b"None",
                 "params/deep": b"True", "params/code": b"007", "params/batch": b"32",
                 "tags/mlflow.note.content": b"a note\n", "tags/team": b"x",
                 "tags/mlflow.user": b"somebody"})  # fmt: skip
    source = mlflow.find(folder)[0]
    assert (source.name, source.key) == ("my run", "")
    chunk = read(folder)
    assert points([chunk])["train/loss"] == loop(lines(3))
    assert set(points([chunk])) == {"train/loss", "system/gpu_0", "a/b"}
    assert {c.name for c in chunk.columns if c.kind == "system"} == {"system/gpu_0"}
    assert {c.name for c in chunk.columns if not c.kind} == {"train/loss", "a/b"}
    about = chunk.config.pop("mlflow")  # type: ignore[attr-defined]
    assert chunk.config == {"lr": 0.002, "opt/name": "SGD", "n": None, "deep": True,
                            "code": "007", "batch": 32}  # fmt: skip
    assert about == {"run_id": "abc", "name": "my run", "status": "FINISHED", "note": "a note",
                     "start_time": 1628697775.478, "lifecycle_stage": "active",
                     "tags": {"team": "x"}}  # fmt: skip
    assert chunk.notices == ()
    assert Run("r", "", "mlflow").extend(chunk)["loss", "train"].step.tolist() == [0, 1, 2]


def test_odd_values_and_old_lines(tmp_path: Path) -> None:
    data = b"1628697792 nan\n1628697793 inf\n1628697794 -inf\n5 1e-05\n"
    chunk = read(make(tmp_path / "r", {"loss": data}))
    (column,) = chunk.columns
    np.testing.assert_array_equal(column.value, [math.nan, math.inf, -math.inf, 1e-5])
    assert column.step.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(column.wall_time, [1628697792, 1628697793, 1628697794, math.nan])
    assert [n.kind for n in chunk.notices] == ["assumed"]


def test_lines_with_a_run_and_a_data_set(tmp_path: Path) -> None:
    data = b"%d 1.5 7 train_set 3fa9\n%d 2.5 8 %s\n" % (START, START, b"ab" * 16)
    chunk = read(make(tmp_path / "r", {"loss": data}))
    assert points([chunk])["loss"] == [(7, "1.5", START / 1e3), (8, "2.5", START / 1e3)]


@pytest.mark.parametrize(
    "line",
    [b"", b"x", b"1628697792090 332.6", b"1628697792090 332.6 1628697795789 297.6 1",
     b"1628697792090 1.5 2.5", b"1628697792090 1.5 01628", b"\0" * 30, b"1628697792090 0x1 3",
     b"1628697792090 1_0 3", b"1628697792090 1.5 %d" % 10**30, b"1" * 5000 + b" 1 1"],
)  # fmt: skip
def test_a_damaged_line_costs_itself_alone(tmp_path: Path, line: bytes) -> None:
    good = lines(4)
    cut = good.index(b"\n") + 1
    chunk = read(make(tmp_path / "r", {"loss": good[:cut] + line + b"\n" + good[cut:]}))
    found = points([chunk])["loss"]
    if line == b"1628697792090 332.6":
        assert [p for p in found if p[1] != "332.6"] == loop(good)
    else:
        assert found == loop(good)
        assert sum(n.lost or 0 for n in chunk.notices) == (line != b"")


def test_an_unterminated_line_has_no_value(tmp_path: Path) -> None:
    data = lines(30)
    folder = make(tmp_path / "r", {"loss": b""})
    path = folder / "metrics" / "loss"
    begin = len(data) - sum(len(x) + 1 for x in data.split(b"\n")[-11:-1])
    for cut in range(begin, len(data) + 1):
        path.write_bytes(data[:cut])
        live = mlflow.open_source(mlflow.find(folder)[0]).poll()
        assert points([live]).get("loss", []) == loop(data[:cut])
        assert live.notices == ()
        chunk = read(folder)
        assert points([chunk])["loss"] == loop(data[:cut])
        torn = not data[:cut].endswith(b"\n")
        assert [n.kind for n in chunk.notices] == ["torn-tail"] * torn
        assert sum(n.lost or 0 for n in chunk.notices) == torn


@pytest.mark.parametrize("seed", range(10))
def test_live_is_cold_under_any_growth(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    names = ["loss", "val/loss", "system/cpu"]
    data = {name: lines(rng.randrange(1, 40)) for name in names}
    folder = make(tmp_path / "live", {}, "status: 1\n")
    reader = mlflow.open_source(mlflow.find(folder)[0])
    chunks = []
    plans = {n: sorted(rng.randrange(len(d) + 1) for _ in range(5)) for n, d in data.items()}
    for turn in range(5):
        for name in names:
            begin, end = ([0, *plans[name]])[turn : turn + 2]
            if end:
                path = folder / "metrics" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                with open(path, "ab") as file:
                    file.write(data[name][begin:end])
        put(folder, {f"params/p{turn}": b"%d" % turn})
        chunks.append(reader.poll())
    for name in names:
        put(folder, {f"metrics/{name}": data[name]})
    chunks += [reader.poll(), reader.poll(final=True)]
    cold = read(folder)
    assert points(chunks) == points([cold]) == {name: loop(d) for name, d in data.items()}
    config: dict[str, object] = {}
    for chunk in chunks:
        config |= chunk.config
    assert config == cold.config
    assert reader.poll().columns == ()


def test_mutations_keep_untouched_lines(tmp_path: Path) -> None:
    data, rng = lines(40), random.Random(1)
    whole = loop(data)
    folder = make(tmp_path / "r", {"loss": data})
    for _ in range(500):
        at, n = rng.randrange(len(data)), rng.randrange(1, 30)
        changed = [
            data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :],
            data[:at] + data[at + n :],
            data[:at] + rng.randbytes(n) + data[at:],
        ][rng.randrange(3)]
        put(folder, {"metrics/loss": changed})
        held = [(s, v) for s, v, _ in points([read(folder)])["loss"]]
        shared = {*data.splitlines(True)} & {*changed.splitlines(True)}
        assert {p[:2] for line in shared for p in loop(line)} <= {*held}
        assert len(held) <= len(whole) + changed.count(b"\n") - data.count(b"\n") + 1


def test_a_replaced_file_is_read_anew(tmp_path: Path) -> None:
    folder = make(tmp_path / "r", {"loss": lines(5)})
    reader = mlflow.open_source(mlflow.find(folder)[0])
    reader.poll()
    put(folder, {"metrics/loss": b"%d 9.0 1\n" % START})
    chunk = reader.poll()
    assert points([chunk])["loss"] == [(1, "9.0", START / 1e3)]
    assert [n.kind for n in chunk.notices] == ["replaced"]
    (folder / "metrics" / "loss").unlink()
    assert [n.kind for n in reader.poll().notices] == ["replaced"]
    assert reader.poll().notices == ()


@pytest.mark.parametrize(
    ("meta", "kinds"),
    [
        ("status: 3\n", []),
        ("status: 1\n", ["unfinished"]),
        ("status: 4\n", ["unfinished"]),
        ("status: KILLED\n", ["unfinished"]),
        ("status: 3\nlifecycle_stage: deleted\n", ["assumed"]),
        ("status: [\n", ["corrupt"]),
    ],
)
def test_the_end_of_a_run_is_told(tmp_path: Path, meta: str, kinds: list[str]) -> None:
    assert [n.kind for n in read(make(tmp_path / "r", {"loss": lines(2)}, meta)).notices] == kinds


def test_runs_are_told_by_content(tmp_path: Path) -> None:
    assert mlflow.sniff(make(tmp_path / "a", {})) == 1
    meta = b"experiment_id: '0'\nartifact_location: ./mlruns/0\nname: x\n"
    experiment = put(tmp_path / "exp", {"meta.yaml": meta})
    assert mlflow.sniff(experiment) == 0
    model = put(tmp_path / "m", {"meta.yaml": b"model_id: m-1\nsource_run_id: x\n",
                                 "metrics/a": b"", "tags/b": b"", "params/c": b""})  # fmt: skip
    assert mlflow.sniff(model) == 0
    bare = put(tmp_path / "bare", {"metrics/a": lines(2), "tags/b": b"", "params/c": b""})
    assert mlflow.sniff(bare) == 0.9
    assert [n.kind for n in read(bare).notices] == ["unreadable"]
    torn = put(tmp_path / "torn", {"meta.yaml": b"art", "metrics/a": lines(2), "tags/b": b""})
    assert mlflow.sniff(torn) == 0.9
    assert mlflow.sniff(tmp_path) == 0
    with pytest.raises(NotFound, match="does not exist"):
        FileRun(tmp_path / "gone").poll()


def test_the_search_gives_a_run_its_files_and_searches_its_artifacts(tmp_path: Path) -> None:
    folder = make(tmp_path / "0" / "abc", {"loss": lines(20)})
    record = b'{"step": %d, "loss": 1.5}\n'
    put(folder, {"artifacts/log.jsonl": b"".join(record % i for i in range(9))})
    put(tmp_path, {"0/meta.yaml": b"experiment_id: '0'\nname: try\n"})
    found = discover(tmp_path)
    assert [(s.format, s.path.name) for s in found] == [("mlflow", "abc"), ("jsonl", "log.jsonl")]
    about = read(folder).config["mlflow"]
    assert about["experiment"] == "try"


def test_hostile_files_are_read_within_bounds(tmp_path: Path) -> None:
    million = 1_000_000
    metrics = {
        "digits": b"1" * million,
        "words": b"1 1 " * (million // 4),
        "short": b"1\n" * (million // 2),
        "blank": b"\n" * million,
        "zeros": b"1628697792090 " + b"0" * million + b" 1\n",
    }
    folder = make(tmp_path / "r", metrics, "a: &a [1,1,1]\nb: " + "[*a,*a]" * 1000)
    put(folder, {"params/long": b"x" * million, "meta.yaml": b"run_id: [" * 100_000})
    chunk = read(folder)
    assert points([chunk]) == {"zeros": [(1, "0.0", START / 1e3)]}
    assert len(chunk.notices) < 500
    assert len(chunk.config["long"]) == 65536


def test_the_real_run() -> None:
    if not REAL.is_dir():
        pytest.skip("the real logs are not here")
    found = [s for s in discover(REAL) if s.format == "mlflow"]
    assert [s.name for s in found] == ["ed05f9cd599442fe9a0c9222184710b8"]
    chunk = read(found[0].path)
    data = (found[0].path / "metrics" / "loss").read_bytes()
    assert points([chunk]) == {"loss": loop(data)}
    assert len(loop(data)) == 10
    assert chunk.config["opt_learning_rate"] == 0.002
    assert chunk.config["mlflow"]["experiment"] == "Speech model simple rnn"
    assert len(chunk.config) == 20 + 1
    assert chunk.notices == ()


def test_what_mlflow_writes_is_what_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    client_module = pytest.importorskip("mlflow.tracking.client", exc_type=ImportError)
    client = client_module.MlflowClient(tracking_uri=(tmp_path / "mlruns").as_uri())
    experiment = client.create_experiment("one")
    run = client.create_run(experiment, run_name="named").info.run_id
    values = [1.5, math.nan, math.inf, -math.inf, 1e-300]
    for step, value in enumerate(values):
        client.log_metric(run, "train/loss", value, timestamp=START + step, step=step * 10)
    client.log_param(run, "lr", 0.5)
    client.set_tag(run, "team", "x")
    client.set_terminated(run, "FAILED")
    (source,) = discover(tmp_path)
    assert source.name == "named"
    chunk = read(source.path)
    times = [(START + i) / 1e3 for i in range(5)]
    rows = zip([0, 10, 20, 30, 40], map(repr, values), times, strict=True)
    assert points([chunk]) == {"train/loss": list(rows)}
    assert chunk.config["lr"] == 0.5
    assert chunk.config["mlflow"]["tags"] == {"team": "x"}
    assert [n.kind for n in chunk.notices] == ["unfinished"]
