"""R1: seeded damage to every format; nothing intact is lost, nothing is invented or silent."""

import random
import shutil
import tempfile

import pytest

from tests.robustness.checks import complaints
from tests.robustness.formats import all_formats
from tests.robustness.mutations import damage
from tests.robustness.reading import read

FRESH = 40
"""Mutations of one log before the next log is written."""

OTHERS = 10
"""Of so many mutations of a repository, one looks at the other runs as well."""


@pytest.fixture(autouse=True)
def private_views(scratch, monkeypatch):
    """Temporary folders of readers in memory, too."""
    (scratch / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch / "tmp"))


def logs(module, seed, scratch):
    """Pairs of logs in folders of their own, for ever; a costly one is written once."""
    number = 0
    while True:
        pair = []
        for which in "ab":
            folder = scratch / which
            if folder.exists():
                shutil.rmtree(folder)
            folder.mkdir()
            pair.append(module.write(folder, random.Random(f"{seed} {number} {which}")))
            if pair[0].costly:
                pair.append(pair[0])
                break
        yield pair
        while pair[0].costly:
            yield pair
        number += 1


def look(log, file, folder, number):
    """What a reader finds; of many runs, most times only the one that is damaged."""
    one = file.run if file.kind == "store" and file.run and number % OTHERS else None
    return read(log.format, folder / log.path, one)


@pytest.mark.parametrize("name", all_formats())
def test_damage_costs_only_what_it_hit(name, scratch, mutations, seed):
    module = all_formats()[name]
    makers = logs(module, seed, scratch)
    bad = []
    for number in range(mutations):
        if number % FRESH == 0:
            log, other = next(makers)
        rng = random.Random(f"{name} {seed} {number}")
        which = 0 if rng.random() < 0.7 and log.files[0].records else rng.randrange(len(log.files))
        file = log.files[which]
        ways, now = damage(rng, file, other.files[which].data)
        place = scratch / "a" / file.name
        place.write_bytes(now.data)
        try:
            found = look(log, file, scratch / "a", number)
            said = complaints(log, which, other, now, found)
        finally:
            place.write_bytes(file.data)
        bad += [f"#{number} {ways} of {file.name}: {text}" for text in said]
        assert len(bad) < 20, "\n".join(bad)
    assert not bad, "\n".join(bad)
