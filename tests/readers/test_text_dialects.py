"""What many frameworks print, with the points that it means."""

from __future__ import annotations

from pathlib import Path

import pytest

import trainlens
from tests.readers import dialects_of_lines, dialects_of_tables
from tests.readers.text_points import points, read
from trainlens.readers._text.reader import TextLog

DIALECTS = {**dialects_of_lines.DIALECTS, **dialects_of_tables.DIALECTS}


@pytest.mark.parametrize("name", DIALECTS)
def test_dialects(tmp_path: Path, name: str) -> None:
    content, expected = DIALECTS[name]
    assert points(read(tmp_path, content)) == expected


@pytest.mark.parametrize("name", DIALECTS)
def test_dialects_grow_as_they_are_read_at_once(tmp_path: Path, name: str) -> None:
    data = DIALECTS[name][0].encode()
    path = tmp_path / "train.log"
    path.write_bytes(b"")
    reader, found = TextLog(path), {}
    for at in range(0, len(data), 7):
        with open(path, "ab") as file:
            file.write(data[at : at + 7])
        for key, held in points(reader.poll()).items():
            found.setdefault(key, []).extend(held)
    for key, held in points(reader.poll(final=True)).items():
        found.setdefault(key, []).extend(held)
    assert found == DIALECTS[name][1]


@pytest.mark.parametrize("name", DIALECTS)
def test_any_cut_gives_no_wrong_value(tmp_path: Path, name: str) -> None:
    data = DIALECTS[name][0].encode()
    shown = {(key, v) for key, held in DIALECTS[name][1].items() for _, v in held}
    # States of a bar that later states replace are true as well.
    # Without the second acc nothing tells whose the first one is.
    shown |= {("train:loss", 2.5), ("acc", 0.8), ("box", 0.1209), ("obj", 0.03012), ("cls", 0.0451)}
    for cut in range(1, len(data)):
        chunk = read(tmp_path, data[:cut])
        found = {(key, v) for key, held in points(chunk).items() for _, v in held}
        assert found <= shown, (cut, data[max(0, cut - 60) : cut], found - shown)


def test_a_learnt_layout_does_not_keep_the_place_of_its_line(tmp_path):
    """Epoch means between bars that count within the epoch: each stands at its own epoch."""
    rows = []
    for epoch in range(1, 13):
        rows.append(f"train epoch:{epoch}:   0%|          | 0/500 [00:00<?, ?it/s]")
        rows.append(f"Average loss for epoch {epoch}: train_total_loss:{1 / epoch:.6f};")
        if epoch % 3 == 0:
            rows.append(f" Average metrics for epoch {epoch}: val_metric_cond:{epoch / 100:.4f};")
    path = tmp_path / "output.log"
    path.write_text("\n".join(rows) + "\n")
    run = trainlens.load_one(path)
    assert run["total_loss"].step.tolist() == [500 * i for i in range(12)]
    assert run["total_loss"].epoch.tolist() == list(range(1, 13))
    assert run["metric_cond", "val"].step.tolist() == [1000, 2500, 4000, 5500]
