"""R2 and R3: every byte of the last ten records cut; growth in any steps equals one cold look."""

import random
import shutil

import pytest

from tests.robustness.checks import complaints
from tests.robustness.formats import all_formats
from tests.robustness.mutations import damage, original
from tests.robustness.reading import Found, no_hang, read, sources
from trainlens.errors import TrainlensError

LAST = 10
PLACES = 400
"""At most so many cuts of a file that takes long to read: every byte of the others."""


def pointed(log):
    """Files of a log that hold points, by number."""
    return [i for i, file in enumerate(log.files) if file.records]


@pytest.mark.parametrize("name", all_formats())
def test_each_cut_of_the_last_ten_records_keeps_what_is_complete(name, scratch, seed):
    module = all_formats()[name]
    log = module.write(scratch, random.Random(f"cut {seed}"))
    if log.costly and not pointed(log):
        pytest.skip("a store has no records side by side; its own tests cut its log")
    bad = []
    for which in pointed(log):
        file = log.files[which]
        size = len(file.data)
        first = file.records[-LAST:][0].begin
        step = max(1, (size - first) // PLACES) if log.costly else 1
        for end in range(size - 1, first - 1, -step):
            (scratch / file.name).write_bytes(file.data[:end])
            found = read(log.format, scratch / log.path)
            now = original(file.data).cut(0, end)
            bad += [
                f"{file.name} cut at {end}: {c}" for c in complaints(log, which, log, now, found)
            ]
            truth = {p for f in log.files for r in f.records for p in r.points}
            truth.update(*log.whole.values())
            for run in found.values():
                wrong = [p for p in run.points if p not in truth]
                bad += [f"{file.name} cut at {end}: wrong {wrong[:3]}"] if wrong else []
        (scratch / file.name).write_bytes(file.data)
        assert not bad, "\n".join(bad[:20])


def grown(log, which, data, scratch, rng):
    """What polls of a growing file give, and what one look at the end gives."""
    path = scratch / log.files[which].name
    path.write_bytes(b"")
    cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randint(1, 12)))
    live, reader = Found(), None
    for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        with open(path, "ab") as file:
            file.write(data[begin:end])
        with no_hang():
            if reader is None and end:
                module, found = sources(log.format, scratch / log.path)
                reader = module.open_source(found[0]) if found else None
            if reader is not None and rng.random() < 0.8:
                live.take(reader.poll())
    if reader is not None:
        live.take(reader.poll(final=True))
    return live


@pytest.mark.parametrize("name", all_formats())
@pytest.mark.parametrize("hurt", [False, True], ids=["whole", "damaged"])
def test_growth_in_any_steps_equals_a_cold_look(name, hurt, scratch, mutations, seed):
    module = all_formats()[name]
    for number in range(max(10, mutations // 10)):
        rng = random.Random(f"grow {name} {seed} {number} {hurt}")
        if number % 10 == 0:
            shutil.rmtree(scratch)
            scratch.mkdir()
            log = module.write(scratch, rng)
            if log.costly or not pointed(log):
                pytest.skip("grows through its own writer: see the tests of its reader")
        which = rng.choice(pointed(log))
        data = log.files[which].data
        if hurt:
            data = damage(rng, log.files[which], data)[1].data
        try:
            live = grown(log, which, data, scratch, rng)
        except TrainlensError:
            continue
        finally:
            (scratch / log.files[which].name).write_bytes(data)
        cold = read(log.format, scratch / log.path).get("", Found())
        assert live.columns == cold.columns, f"#{number}"
        (scratch / log.files[which].name).write_bytes(log.files[which].data)
