"""Compressed logs and UTF-16: the same points as without the wrapping, bounded, damage named."""

import bz2
import contextlib
import gzip
import io
import lzma

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

import trainlens
from trainlens.errors import MissingExtra, NotALog
from trainlens.readers import _packed, _wrapping, open_source
from trainlens.readers._packed import Unfolded
from trainlens.readers._wrapping import content_name, wrapping
from trainlens.readers.base import Source

ROWS = b"".join(b'{"step": %d, "loss": %f, "lr": 1e-4}\n' % (i, 3 / (i + 1)) for i in range(5000))
TEXT = "".join(f"step {i} loss={3 / (i + 1):.6f}\n" for i in range(500))
PACKERS = {
    "gz": gzip.compress,
    "xz": lzma.compress,
    "bz2": bz2.compress,
    "zst": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_packed_log_reads_like_the_log(tmp_path, suffix):
    (tmp_path / "plain.jsonl").write_bytes(ROWS)
    (tmp_path / f"packed.jsonl.{suffix}").write_bytes(PACKERS[suffix](ROWS))
    packed, plain = sorted(trainlens.load(tmp_path), key=lambda r: r.name)
    assert packed.name == "packed"
    assert packed.format == plain.format == "jsonl"
    assert packed.notices == ()
    assert packed.source == str(tmp_path / f"packed.jsonl.{suffix}")
    np.testing.assert_array_equal(packed["loss"].value, plain["loss"].value)
    np.testing.assert_array_equal(packed["loss"].step, plain["loss"].step)


@pytest.mark.parametrize("suffix", PACKERS)
def test_the_name_does_not_matter(tmp_path, suffix):
    (tmp_path / "log.txt").write_bytes(PACKERS[suffix](ROWS))
    assert len(trainlens.load_one(tmp_path)["loss"]) == 5000


@pytest.mark.parametrize("suffix", PACKERS)
def test_appended_units_are_read_in_order(tmp_path, suffix):
    half = ROWS.index(b"\n", len(ROWS) // 2) + 1
    pack = PACKERS[suffix]
    (tmp_path / f"a.jsonl.{suffix}").write_bytes(pack(ROWS[:half]) + pack(ROWS[half:]))
    assert trainlens.load_one(tmp_path)["loss"].step.tolist() == list(range(5000))


@pytest.mark.parametrize("suffix", PACKERS)
@pytest.mark.parametrize("share", [0.2, 0.7, 0.999])
def test_a_cut_file_gives_what_is_left(tmp_path, suffix, share):
    whole = PACKERS[suffix](ROWS)
    (tmp_path / f"a.jsonl.{suffix}").write_bytes(whole[: int(len(whole) * share)])
    try:
        run = trainlens.load_one(tmp_path)
    except NotALog:
        assert suffix in ("bz2", "zst", "xz")  # nothing comes out before a first whole block
        return
    held = run["loss"]
    assert held.step.tolist() == list(range(len(held)))
    assert np.array_equal(held.value, [float(f"{3 / (i + 1):f}") for i in range(len(held))])
    told = [n for n in run.notices if "ends too early" in n.message]
    assert [n.kind for n in told] == ["torn-tail"]
    assert f"a.jsonl.{suffix}" in told[0].where


def test_damage_within_is_named_and_what_came_before_is_kept(tmp_path):
    data = bytearray(gzip.compress(np.random.default_rng(1).bytes(400_000).hex().encode()))
    rows = gzip.compress(ROWS)
    data = bytearray(rows + bytes(data))
    data[len(rows) + 2000 : len(rows) + 2100] = bytes(100)
    (tmp_path / "a.jsonl.gz").write_bytes(data)
    run = trainlens.load_one(tmp_path)
    assert len(run["loss"]) == 5000
    assert "corrupt" in {n.kind for n in run.notices}


def test_a_bomb_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(_packed, "SMALL", 1 << 16)
    monkeypatch.setattr(_packed, "RATIO", 1)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(ROWS + b"\n" * 50_000_000))
    run = trainlens.load_one(tmp_path)
    size = (tmp_path / "a.jsonl.gz").stat().st_size
    assert len(run["loss"]) == ROWS[: (1 << 16) + size].count(b"\n")
    assert [n.lost for n in run.notices if "unfolds to more than" in n.message] == [None]


@pytest.mark.parametrize("fill", [b"\n", b"\0", b"\r", b" "])
@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.log"])
def test_a_flood_of_nothing_costs_little(tmp_path, name, fill):
    rows = {
        "a.jsonl": ROWS,
        "a.csv": b"step,loss\n" + b"".join(b"%d,%f\n" % (i, 3 / (i + 1)) for i in range(5000)),
        "a.log": "".join(f"step {i} loss={3 / (i + 1):.6f}\n" for i in range(5000)).encode(),
    }[name]
    (tmp_path / f"{name}.xz").write_bytes(lzma.compress(rows + fill * 30_000_000, preset=0))
    run = trainlens.load_one(tmp_path)
    assert run["loss"].step.tolist() == list(range(5000))
    assert "unpack it" in str(run.notices)


@pytest.mark.parametrize("suffix", PACKERS)
def test_event_files_within_a_run_may_be_packed(tmp_path, suffix):
    torch = pytest.importorskip("torch.utils.tensorboard")
    for part in range(2):
        writer = torch.SummaryWriter(tmp_path, filename_suffix=f".{part}")
        for step in range(part * 50, part * 50 + 50):
            writer.add_scalar("train/loss", 1 / (step + 1), step)
        writer.close()
    first = min(tmp_path.iterdir(), key=lambda p: p.name.rpartition(".")[2])
    packed = first.with_name(f"{first.name}.{suffix}")
    original = first.read_bytes()
    packed.write_bytes(PACKERS[suffix](original))
    first.unlink()
    run = trainlens.load_one(tmp_path)
    assert sorted(run["loss"].step.tolist()) == list(range(100))
    assert run.notices == ()
    # While the original is still there, its packed copy adds nothing.
    first.write_bytes(original)
    assert len(trainlens.load_one(tmp_path)["loss"]) == 100


@pytest.mark.parametrize("suffix", PACKERS)
def test_output_comes_in_bounded_pieces(tmp_path, suffix):
    path = tmp_path / f"zeros.{suffix}"
    path.write_bytes(PACKERS[suffix](bytes(80_000_000)))
    sizes = [len(piece) for piece in _packed._unfold(wrapping(path), path)]
    assert sum(sizes) == 80_000_000
    assert max(sizes) <= 48 << 20


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_as_windows_shells_write_it(tmp_path, encoding):
    mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")
    (tmp_path / "train.log").write_bytes(mark + TEXT.replace("\n", "\r\n").encode(encoding))
    run = trainlens.load_one(tmp_path)
    assert run["loss"].step.tolist() == list(range(500))
    assert run["loss"].value[2] == 1.0


def test_a_growing_packed_log_gives_each_record_once(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    target = io.BytesIO()
    packer = gzip.GzipFile(fileobj=target, mode="wb", mtime=0)
    reader, steps = None, []
    for at in range(0, len(ROWS), 20_000):
        packer.write(ROWS[at : at + 20_000])
        packer.flush()
        path.write_bytes(target.getvalue())
        reader = reader or open_source(Source("jsonl", path))
        chunk = reader.poll()
        assert chunk.notices == ()
        steps += [s for c in chunk.columns if c.name == "loss" for s in c.step.tolist()]
    packer.close()
    path.write_bytes(target.getvalue())
    chunk = reader.poll(final=True)
    steps += [s for c in chunk.columns if c.name == "loss" for s in c.step.tolist()]
    assert steps == list(range(5000))
    assert chunk.notices == ()


def test_the_copy_lies_elsewhere_and_is_removed(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(ROWS))
    unfolded = Unfolded(path, "gzip")
    unfolded.update()
    copy = unfolded.content
    assert copy.read_bytes() == ROWS
    assert tmp_path not in copy.parents
    del unfolded
    assert not copy.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["a.jsonl.gz"]


def test_zstd_without_its_extra_says_what_to_install(tmp_path, monkeypatch):
    path = tmp_path / "a.jsonl.zst"
    path.write_bytes(PACKERS["zst"](ROWS))
    monkeypatch.setattr(_wrapping, "has_zstd", lambda: False)
    with pytest.raises(MissingExtra, match=r"trainlens\[zstd\]"):
        trainlens.load(path)


def test_what_is_packed_but_no_log_says_so(tmp_path):
    path = tmp_path / "photos.tar.gz"
    path.write_bytes(gzip.compress(bytes(10_000)))
    with pytest.raises(NotALog, match="is gzip, but its content"):
        trainlens.load(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.jsonl.gz", "a.jsonl"), ("a.log", "a.log"), (".gz", ".gz"), ("x.ZST", "x")],
)
def test_content_name(tmp_path, name, content):
    assert content_name(tmp_path / name) == content


@given(st.binary(max_size=400), st.sampled_from([m for m, _ in _wrapping._MARKS]))
def test_any_bytes_behind_a_mark_unfold_or_are_damaged(tmp_path_factory, data, mark):
    path = tmp_path_factory.getbasetemp() / "odd"
    path.write_bytes(mark + data)
    kind = wrapping(path)
    with contextlib.suppress(_packed.Damaged):
        assert all(_packed._unfold(kind, path) if kind else ())
