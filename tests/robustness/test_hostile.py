"""R5: a hostile file of 1 MB needs at most 256 MB, and does not hang."""

import random
import subprocess
import sys

import pytest

from tests.robustness.formats import all_formats

LARGEST = 1 << 20
MEMORY = 256 << 10
"""KiB, of the whole process."""
PATIENCE = 40.0
"""Seconds a file after which it counts as a hang: 5 s is the goal on a machine of its own."""

FILL = (b"\0", b"x", b"{", b'"', b",")
MORE = (b"\n", b" ", b"9", b"[", b"=", b":", b"\xff", b"\r", b"-")
"""Tried in long runs only."""


def hostile(module, folder, fills):
    """Every attack on a format in a folder of its own; their paths."""
    rng = random.Random(1)
    (folder / "model").mkdir()
    log = module.write(folder / "model", rng)
    file = next((f for f in log.files if f.records), log.files[0])
    begin = file.data[: file.records[len(file.records) // 2].end] if file.records else b""
    attacks = {f"fill-{fill!r}": begin + fill * LARGEST for fill in fills}
    attacks["noise"] = begin + rng.randbytes(LARGEST)
    if file.records:
        last = file.records[-1]
        again = file.data[last.begin : last.end]
        attacks["again"] = begin + again * (LARGEST // len(again))
    attacks |= module.hostile(rng) if hasattr(module, "hostile") else {}
    for number, (name, data) in enumerate(attacks.items()):
        place = folder / f"{number:02}"
        place.mkdir()
        for other in log.files:
            (place / other.name).parent.mkdir(parents=True, exist_ok=True)
            (place / other.name).write_bytes(other.data)
        (place / file.name).write_bytes(data[:LARGEST])
        yield name, place / log.path if log.path else place


@pytest.mark.parametrize("name", all_formats())
def test_hostile_files_are_read_in_bounded_memory(name, scratch, request, mutations):
    pytest.importorskip("resource", reason="this system does not say how much memory is used")
    module = all_formats()[name]
    attacks = dict(hostile(module, scratch, FILL + MORE * (mutations >= 1000)))
    command = [sys.executable, "-m", "tests.robustness._look", str(PATIENCE), module.FORMAT]
    done = subprocess.run(
        [*command, *map(str, attacks.values())],
        capture_output=True,
        text=True,
        cwd=request.config.rootpath,
        timeout=PATIENCE * len(attacks),
        check=False,
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    names = ["start", *attacks]
    told = f"{names[len(rows)] if len(rows) < len(names) else ''}: {done.stderr[-3000:]}"
    assert done.returncode == 0, told
    assert len(rows) == len(names), told
    request.node.add_report_section("call", "seconds and memory", done.stdout)
    # The peak of a process only rises: what one file needed is how far it rose.
    for attack, row in zip(names, rows, strict=True):
        assert int(row[2]) <= MEMORY, f"{attack}: {int(row[2]) >> 10} MiB"
