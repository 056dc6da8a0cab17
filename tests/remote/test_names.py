"""Names of objects here: contained, all different, and the same ones again next time."""

import os
import unicodedata
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainlens.remote.names import LONGEST, LONGEST_PATH, Names, safe

COMPONENTS = st.one_of(
    st.sampled_from(["..", ".", "", "a", "A", "b", "run", "Run", "metrics.jsonl", "x" * 3000]),
    st.text(st.characters(blacklist_characters="/"), max_size=12),
)
PATHS = (
    st.lists(COMPONENTS, min_size=1, max_size=5)
    .map("/".join)
    .filter(lambda path: path and not path.endswith("/"))
)


def fold(text):
    return unicodedata.normalize("NFC", text).casefold()


@given(st.lists(PATHS, max_size=30, unique=True))
def test_every_object_has_a_file_of_its_own_within_the_folder(paths):
    names = Names()
    here = {there: names(there) for there in paths}
    assert len({fold(h) for h in here.values()}) == len(paths)
    for name in here.values():
        parts = name.split("/")
        assert all(part not in ("", ".", "..") and "\0" not in part for part in parts)
        assert all(len(part.encode()) <= 255 for part in parts)
        assert not PurePosixPath(name).is_absolute()
    files = {fold(h) for h in here.values()}
    folders = {fold(str(p)) for h in here.values() for p in PurePosixPath(h).parents}
    assert not files & folders, "a file is where a folder must be"


@given(st.lists(PATHS, max_size=15, unique=True), st.lists(PATHS, max_size=15, unique=True))
def test_what_was_named_keeps_its_name(first, second):
    names = Names()
    known = {there: names(there) for there in first}
    later = Names(known)
    assert {there: later(there) for there in first} == known
    here = {there: later(there) for there in [*first, *second]}
    assert len({fold(h) for h in here.values()}) == len(here)


@pytest.mark.parametrize("name", ["metrics.jsonl", ".aim", "events.out.tfevents.1.host.0", "ä=1%"])
def test_safe_names_stay(name):
    assert safe(name) == name
    assert Names()(f"runs/{name}") == f"runs/{name}"


def test_endless_names_end():
    assert len(safe("x" * 5000 + ".jsonl").encode()) <= LONGEST
    assert safe("x" * 5000 + ".jsonl").endswith(".jsonl")
    deep = Names()("/".join(["a"] * 2000) + "/log.csv")
    wide = Names()("/".join(["y" * 150] * 30) + "/log.csv")
    assert all(
        len(name.encode()) <= LONGEST_PATH and name.endswith(".csv") for name in (deep, wide)
    )


def test_a_file_named_like_a_folder_lies_beside_it(tmp_path):
    names = Names()
    for there in ("a", "a/b", "A/b"):
        path = tmp_path / names(there)
        os.makedirs(path.parent, exist_ok=True)
        path.write_text(there)
    held = sorted(p.read_text() for p in tmp_path.rglob("*") if p.is_file())
    assert held == ["A/b", "a", "a/b"]
