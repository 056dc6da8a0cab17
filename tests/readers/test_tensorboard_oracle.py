"""The points are exactly those that TensorBoard itself sees, on every kind of event file."""

import math
import struct
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from trainlens.readers import tensorboard as reader
from trainlens.readers._tfevents import fallback, follow
from trainlens.readers._tfevents.files import event_files
from trainlens.run import Chunk, Run

pytest.importorskip("tensorboard")

from tensorboard.backend.event_processing import event_file_loader
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto import (
    event_pb2,
    summary_pb2,
    tensor_pb2,
    tensor_shape_pb2,
    types_pb2,
)
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util import tensor_util

REAL = Path(__file__).parents[3] / "shared" / "real_logs"
Points = dict[str, list[tuple[int, float, float]]]


@pytest.fixture(params=["chosen", "fallback"])
def decoder(request, monkeypatch):
    """The decoder that this machine uses, and the numpy one."""
    if request.param == "fallback":
        monkeypatch.setattr(follow, "Decoder", fallback.Decoder)


def read(path: Path) -> Chunk:
    """What our reader finds in a folder or file."""
    assert reader.sniff(path) > 0
    return reader.open_source(reader.find(path)[0]).poll(final=True)


def points_of(chunk: Chunk) -> Points:
    """Points by name, NaN as text so that they compare."""
    return {
        c.name: [
            (int(s), _comparable(v), _comparable(w))
            for s, v, w in zip(c.step, c.value, c.wall_time, strict=True)
        ]
        for c in chunk.columns
    }


def _comparable(number: float) -> float:
    return "nan" if math.isnan(number) else float(number)


def oracle(path: Path) -> Points:
    """Scalars by TensorBoard's own loader and tensor conversion."""
    found: Points = defaultdict(list)
    plugins: dict[str, str] = {}
    for event in event_file_loader.LegacyEventFileLoader(str(path)).Load():
        for value in event.summary.value:
            plugin = value.metadata.plugin_data.plugin_name
            plugins.setdefault(value.tag, plugin)
            if value.tag.startswith("_hparams_/"):
                continue
            if value.WhichOneof("value") == "simple_value":
                number = value.simple_value
            elif value.WhichOneof("value") == "tensor" and plugins[value.tag] in ("", "scalars"):
                array = tensor_util.make_ndarray(value.tensor)
                if array.size != 1 or array.dtype.kind not in "fiub":
                    continue
                number = float(array.reshape(-1)[0])
            else:
                continue
            found[value.tag].append((event.step, _comparable(number), _comparable(event.wall_time)))
    return dict(found)


def write(path: Path, events: list[event_pb2.Event]) -> Path:
    """An event file by TensorBoard's record writer."""
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        first = event_pb2.Event(wall_time=1.0, file_version="brain.Event:2")
        for event in [first, *events]:
            writer.write(event.SerializeToString())
    return path


FIELDS = {
    "float32": (types_pb2.DT_FLOAT, "float_val"),
    "float64": (types_pb2.DT_DOUBLE, "double_val"),
    "float16": (types_pb2.DT_HALF, "half_val"),
    "int8": (types_pb2.DT_INT8, "int_val"),
    "uint8": (types_pb2.DT_UINT8, "int_val"),
    "int16": (types_pb2.DT_INT16, "int_val"),
    "uint16": (types_pb2.DT_UINT16, "int_val"),
    "int32": (types_pb2.DT_INT32, "int_val"),
    "int64": (types_pb2.DT_INT64, "int64_val"),
    "uint32": (types_pb2.DT_UINT32, "uint32_val"),
    "uint64": (types_pb2.DT_UINT64, "uint64_val"),
    "bool": (types_pb2.DT_BOOL, "bool_val"),
}


def scalar_tensor(number: np.generic, shape: tuple, content: bool) -> tensor_pb2.TensorProto:
    """A TensorProto of one number, in its content or in the field of its type."""
    dims = [tensor_shape_pb2.TensorShapeProto.Dim(size=n) for n in shape]
    dtype, field = FIELDS[str(number.dtype)]
    proto = tensor_pb2.TensorProto(
        dtype=dtype, tensor_shape=tensor_shape_pb2.TensorShapeProto(dim=dims)
    )
    if content:
        proto.tensor_content = number.tobytes()
    else:
        raw = number.view(np.uint16) if field == "half_val" else number
        getattr(proto, field).append(raw.item())
    return proto


NUMBERS = [
    np.float32(math.pi),
    np.float32(-math.inf),
    np.float32(math.nan),
    np.float64(-1e300),
    np.float16(0.333),
    np.float16(6e-8),
    np.int8(-7),
    np.uint8(200),
    np.int16(-30000),
    np.uint16(60000),
    np.int32(-(2**31)),
    np.int64(2**62 + 1),
    np.uint32(4_000_000_000),
    np.uint64(2**64 - 1),
    np.bool_(True),
]


@pytest.mark.usefixtures("decoder")
@pytest.mark.parametrize("content", [False, True])
@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_tensor_scalars_of_every_type(tmp_path, content, shape):
    events, expected = [], {}
    for step, number in enumerate(NUMBERS):
        event = event_pb2.Event(wall_time=step + 0.5, step=step - 3)
        value = event.summary.value.add(tag=f"{number.dtype}")
        value.tensor.CopyFrom(scalar_tensor(number, shape, content))
        value.metadata.plugin_data.plugin_name = "scalars" if step % 2 else ""
        events.append(event)
        point = (step - 3, _comparable(float(number)), step + 0.5)
        expected.setdefault(str(number.dtype), []).append(point)
    path = write(tmp_path / "events.out.tfevents.1.a", events)
    assert points_of(read(path)) == expected


@pytest.mark.usefixtures("decoder")
def test_bfloat16_is_the_upper_half_of_a_float32(tmp_path):
    bits = struct.unpack("<I", struct.pack("<f", 1.5))[0] >> 16
    events = []
    for packed in (True, False):
        event = event_pb2.Event(step=int(packed))
        tensor = event.summary.value.add(tag="b").tensor
        tensor.dtype = types_pb2.DT_BFLOAT16
        if packed:
            tensor.half_val.append(bits)
        else:
            tensor.tensor_content = bits.to_bytes(2, "little")
        events.append(event)
    chunk = read(write(tmp_path / "events.out.tfevents.1.a", events))
    assert points_of(chunk) == {"b": [(1, 1.5, 0.0), (0, 1.5, 0.0)]}


@pytest.mark.usefixtures("decoder")
def test_metadata_of_the_first_event_counts_for_all(tmp_path):
    """Later values of a histogram tag that happen to hold one number are no scalars."""
    events = []
    for step in range(4):
        event = event_pb2.Event(step=step)
        for tag, plugin in (("hist", "histograms"), ("loss", "scalars"), ("class", "")):
            value = event.summary.value.add(tag=tag)
            value.tensor.CopyFrom(tensor_util.make_tensor_proto(np.float32(step)))
            if step == 0:
                value.metadata.plugin_data.plugin_name = plugin
                if tag == "class":
                    value.metadata.plugin_data.plugin_name = "mine"
                    value.metadata.data_class = summary_pb2.DATA_CLASS_SCALAR
        events.append(event)
    chunk = read(write(tmp_path / "events.out.tfevents.1.a", events))
    assert {c.name: c.value.tolist() for c in chunk.columns} == {
        "loss": [0, 1, 2, 3],
        "class": [0, 1, 2, 3],
    }
    assert chunk.notices == ()


@pytest.mark.usefixtures("decoder")
def test_scalars_that_hold_no_single_number_are_counted(tmp_path):
    event = event_pb2.Event(step=1)
    value = event.summary.value.add(tag="v")
    value.tensor.CopyFrom(tensor_util.make_tensor_proto(np.zeros(3, np.float32)))
    value.metadata.plugin_data.plugin_name = "scalars"
    event.summary.value.add(tag="loss", simple_value=2.5)
    chunk = read(write(tmp_path / "events.out.tfevents.1.a", [event]))
    assert list(points_of(chunk)) == ["loss"]
    assert [(n.kind, n.lost) for n in chunk.notices] == [("skipped", 1)]


@pytest.mark.usefixtures("decoder")
def test_torch_writer(tmp_path):
    torch_tensorboard = pytest.importorskip("torch.utils.tensorboard")
    rng = np.random.default_rng(0)
    with torch_tensorboard.SummaryWriter(str(tmp_path)) as writer:
        for step in range(40):
            writer.add_scalar("loss/train", rng.normal(), step)
            writer.add_scalar("new", rng.normal(), step - 10, new_style=True)
            writer.add_scalar("doubles", rng.normal(), step, new_style=True, double_precision=True)
        writer.add_scalar("odd", math.nan, 2**40)
        writer.add_histogram("weights", rng.normal(size=1000), 1)
        writer.add_text("args", '{"lr": 0.1, "layers": [1, 2]}')
        writer.add_text("note", "hello **world**", 3)
        writer.add_text("table", "|param|value|\n|-|-|\n|seed|7|\n|env|CartPole|")
        writer.add_text("sample", "first", 0)
        writer.add_text("sample", "second", 1)
        hparams = {"lr": 0.01, "bs": 64, "opt": "adam", "amp": True}
        writer.add_hparams(hparams, {"hparam/best": 1.0}, run_name="trial")
    (path,) = event_files(tmp_path)
    chunk = read(tmp_path)
    assert points_of(chunk) == oracle(path)
    assert chunk.config == {
        "args": {"lr": 0.1, "layers": [1, 2]},
        "note": "hello **world**",
        "table": {"seed": 7, "env": "CartPole"},
        "sample": "first",
    }
    trial = read(tmp_path / "trial")
    assert trial.config == hparams
    assert [c.name for c in trial.columns] == ["hparam/best"]


@pytest.mark.skipif(not REAL.is_dir(), reason="the real logs are not beside this project")
@pytest.mark.usefixtures("decoder")
def test_real_files_equal_tensorboard():
    files = [p for p in REAL.rglob("*tfevents*") if reader.sniff(p) == 1]
    assert len(files) > 30
    for path in files:
        chunk = read(path)
        assert points_of(chunk) == oracle(path), path
        assert all(n.kind == "empty" for n in chunk.notices), path


@pytest.mark.skipif(not REAL.is_dir(), reason="the real logs are not beside this project")
def test_real_files_equal_the_accumulator():
    path = next((REAL / "tensorboard").rglob("*.111.complex.localdomain"))
    events = EventAccumulator(
        str(path), size_guidance={"scalars": 0}, purge_orphaned_data=False
    ).Reload()
    theirs = {
        tag: [(e.step, _comparable(e.value), e.wall_time) for e in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }
    assert points_of(read(path)) == theirs


@pytest.mark.skipif(not REAL.is_dir(), reason="the real logs are not beside this project")
def test_real_pointers_and_empty_files_are_named():
    pointers = [p for p in REAL.rglob("*tfevents*") if p.stat().st_size < 140]
    pointers = [p for p in pointers if p.read_bytes().startswith(follow.LFS_POINTER)]
    assert len(pointers) == 12
    for path in pointers:
        (notice,) = read(path).notices
        assert notice.kind == "lfs-pointer"
        assert "git lfs pull" in notice.message
    crashed = list(REAL.rglob("exp[5-8]/events.out.tfevents*"))
    assert [[n.kind for n in read(p).notices] for p in crashed] == [["empty"]] * 4


def test_columns_reach_the_run_without_change(tmp_path):
    events = [
        event_pb2.Event(
            step=s,
            wall_time=s,
            summary=summary_pb2.Summary(
                value=[summary_pb2.Summary.Value(tag="val/loss", simple_value=s)]
            ),
        )
        for s in range(5)
    ]
    write(tmp_path / "events.out.tfevents.1.a", events)
    run = Run("a", str(tmp_path), reader.FORMAT).extend(read(tmp_path))
    assert run["loss", "val"].value.tolist() == [0, 1, 2, 3, 4]
    assert np.isnan(run["loss", "val"].epoch).all()
