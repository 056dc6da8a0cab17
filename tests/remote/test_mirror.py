"""A mirror: what is fetched, what is not fetched again, and what comes of faults on the way."""

import os
import stat

import numpy as np
import pytest
from faulty import Zeros

import trainlens
from trainlens.errors import NotFound, SourceError, Unreadable
from trainlens.readers._remote import mirrored
from trainlens.remote.calls import Calls
from trainlens.remote.fetch import HEAD, PIECE, SMALL
from trainlens.remote.mirror import Mirror

KIB = 1024


def rows(first, last):
    return b"".join(b'{"step": %d, "loss": %.6f}\n' % (i, 5 / (i + 1)) for i in range(first, last))


def calls(slept=None, **settings):
    return Calls(sleep=slept.append if slept is not None else lambda _: None, **settings)


def look(url="faulty://b", **settings):
    notices = []
    [path] = mirrored(url, notices, calls(**settings))
    return path, notices


def tree(path):
    return {str(p.relative_to(path)): p.read_bytes() for p in path.rglob("*") if p.is_file()}


def test_a_run_is_fetched_whole_and_a_second_look_costs_nothing(faulty):
    content = rows(0, 40_000)
    faulty.put("b/exp/log.jsonl", content)
    faulty.put("b/exp/notes.txt", b"hello\n")
    path, notices = look()
    assert tree(path) == {"exp/log.jsonl": content, "exp/notes.txt": b"hello\n"}
    assert not notices
    assert faulty.received() <= len(content) + 6 + SMALL - HEAD
    faulty.asked.clear()
    assert tree(look()[0]) == tree(path)
    assert faulty.asked == []


def test_of_a_grown_log_the_new_bytes_are_fetched(faulty):
    faulty.put("b/log.jsonl", rows(0, 40_000))
    path, _ = look()
    inode = (path / "log.jsonl").stat().st_ino
    faulty.put("b/log.jsonl", rows(0, 40_100))
    faulty.asked.clear()
    look()
    assert (path / "log.jsonl").read_bytes() == rows(0, 40_100)
    assert (path / "log.jsonl").stat().st_ino == inode, "who follows the file must see it grow"
    assert faulty.received() == len(rows(40_000, 40_100)) + 2 * KIB


@pytest.mark.parametrize("size", [300, 40_000])
def test_another_content_under_the_name_is_fetched_anew(faulty, size):
    faulty.put("b/log.jsonl", rows(0, size))
    look()
    other = rows(7, size + 900)
    faulty.put("b/log.jsonl", other)
    path, _ = look()
    assert (path / "log.jsonl").read_bytes() == other
    same_size = other.replace(b"5.0", b"6.0")[: len(other)]
    faulty.put("b/log.jsonl", same_size)
    assert (look()[0] / "log.jsonl").read_bytes() == same_size


def test_without_marks_of_versions_contents_are_compared(faulty):
    faulty.put("b/log.jsonl", rows(0, 40_000))
    faulty.versions["b/log.jsonl"] = None
    path, _ = look()
    faulty.asked.clear()
    look()
    assert faulty.received() == 2 * KIB
    faulty.objects["b/log.jsonl"] = rows(0, 39_999) + b'{"step": 1, "loss": 9.00000000}\n'
    look()
    assert (path / "log.jsonl").read_bytes() == faulty.objects["b/log.jsonl"]


def test_what_is_gone_there_goes_here(faulty):
    faulty.put("b/x/log.jsonl", rows(0, 10))
    faulty.put("b/y/log.jsonl", rows(0, 20))
    look()
    del faulty.objects["b/x/log.jsonl"]
    path, _ = look()
    assert list(tree(path)) == ["y/log.jsonl"]
    assert not (path / "x").exists()


def test_a_file_that_somebody_has_touched_here_is_fetched_again(faulty):
    faulty.put("b/log.jsonl", rows(0, 100))
    path, _ = look()
    (path / "log.jsonl").write_bytes(b"spoilt")
    assert (look()[0] / "log.jsonl").read_bytes() == rows(0, 100)


def test_a_damaged_account_of_the_mirror_is_made_anew(faulty, cache):
    faulty.put("b/log.jsonl", rows(0, 100))
    look()
    [state] = cache.rglob("state.json")
    good = state.read_bytes()
    for spoilt in (b"", b"[]", good[:-9], good.replace(b"log.jsonl", b"../../x.js"),
                   good.replace(b'"have": ', b'"have": "')):  # fmt: skip
        state.write_bytes(spoilt)
        path, _ = look()
        assert tree(path) == {"log.jsonl": rows(0, 100)}


@pytest.mark.parametrize("name", ["dump.bin", "data.xyz"])
def test_of_a_gigabyte_that_is_no_log_the_head_is_fetched(faulty, name):
    faulty.put("b/log.jsonl", rows(0, 10))
    faulty.put(f"b/{name}", Zeros(1 << 30, b"\x93MODEL"))
    path, notices = look()
    assert not notices
    assert faulty.received() == HEAD + len(rows(0, 10))
    held = (path / name).stat()
    assert held.st_size == 1 << 30
    assert held.st_blocks * 512 < 1 << 20, "a hole takes no room"


def test_of_models_nothing_is_fetched(faulty):
    faulty.put("b/log.jsonl", rows(0, 10))
    faulty.put("b/epoch=3.ckpt", Zeros(50 << 30))
    faulty.put("b/.git/objects/12", Zeros(1 << 20))
    look()
    assert {p for p, _, _ in faulty.asked} == {"b/log.jsonl"}
    found = {a.path.name: a.reason for a in trainlens.readers.account("faulty://b")}
    assert "model" in found["epoch=3.ckpt"]
    assert "never searched" in found["12"]


def test_a_call_that_fails_is_made_again(faulty, slept):
    faulty.put("b/log.jsonl", rows(0, 40_000))
    failed = []

    def twice(path, start, end):
        if len(failed) < 2:
            failed.append(start)
            raise ConnectionResetError("reset by peer")

    faulty.fault = twice
    notices = []
    [path] = mirrored("faulty://b", notices, calls(slept, workers=1))
    assert (path / "log.jsonl").read_bytes() == rows(0, 40_000)
    assert slept == [0.5, 1.0]
    assert not notices


def test_a_connection_lost_in_the_middle_keeps_what_came_and_goes_on_later(faulty):
    content = rows(0, 400_000)
    assert len(content) > 2 * PIECE
    faulty.put("b/cut/log.jsonl", content)
    faulty.put("b/well/log.jsonl", rows(0, 50))

    def lost(path, start, end):
        if path == "b/cut/log.jsonl" and start >= PIECE + HEAD and end != len(content):
            return b"only this"

    def gone(path, start, end):
        if path == "b/cut/log.jsonl" and end > PIECE + HEAD and start < len(content) - HEAD:
            raise ConnectionResetError("reset by peer")

    for fault in (lost, gone):
        faulty.fault = fault
        path, notices = look()
        kept = (path / "cut/log.jsonl").read_bytes()
        assert content.startswith(kept)
        assert len(kept) == PIECE + HEAD
        [notice] = notices
        assert notice.kind == "unreadable"
        assert notice.where == f"faulty://b/cut/log.jsonl, bytes {len(kept)}-{len(content)}"
        assert (path / "well/log.jsonl").read_bytes() == rows(0, 50)
        assert [e for e in os.listdir(path) if e not in ("cut", "well")] == []
    faulty.fault = lambda *_: None
    faulty.asked.clear()
    path, notices = look()
    assert (path / "cut/log.jsonl").read_bytes() == content
    assert not notices
    assert faulty.received() == len(content) - len(kept), "what was there was not fetched again"


def test_a_lost_run_is_named_and_the_others_are_whole(faulty, monkeypatch):
    faulty.put("b/cut/log.jsonl", rows(0, 40_000))
    faulty.put("b/well/log.jsonl", rows(0, 50))

    def denied(path, start, end):
        if path == "b/cut/log.jsonl":
            raise PermissionError(13, "Access Denied")

    faulty.fault = denied
    runs = trainlens.load("faulty://b")
    assert [r.name for r in runs] == ["well"]
    [notice] = runs.notices
    assert notice.where.startswith("faulty://b/cut/log.jsonl")
    assert "Access Denied" in notice.message


def test_an_object_that_changes_while_it_is_read_is_of_one_version(faulty):
    first, second = rows(0, 400_000), rows(3, 400_003)
    faulty.put("b/log.jsonl", first)

    def replaced(path, start, end):
        if start == HEAD + PIECE and faulty.versions[path] == 1:
            faulty.put(path, second[: len(first)])

    faulty.fault = replaced
    path, notices = look(workers=1)
    assert (path / "log.jsonl").read_bytes() == second[: len(first)]
    assert not notices
    faulty.asked.clear()
    look()
    assert faulty.asked == []


def test_an_object_that_never_stands_still_is_named(faulty):
    faulty.put("b/log.jsonl", rows(0, 400_000) + b"#000000000\n")

    def replaced(path, start, end):
        if start in (HEAD + PIECE, PIECE):
            faulty.put(path, rows(0, 400_000) + b"#%09d\n" % faulty.versions[path])

    faulty.fault = replaced
    _, [notice] = look(workers=1)
    assert str(notice) == "faulty://b/log.jsonl: changes again and again while it is read"


def test_an_object_that_grows_while_it_is_read_is_taken_as_it_was_listed(faulty):
    first = rows(0, 400_000)
    faulty.put("b/log.jsonl", first)

    def grown(path, start, end):
        if start == HEAD + PIECE and faulty.versions[path] == 1:
            faulty.put(path, first + b"more\n")

    faulty.fault = grown
    path, notices = look(workers=1)
    assert (path / "log.jsonl").read_bytes() == first
    assert not notices
    faulty.asked.clear()
    look()
    assert (path / "log.jsonl").read_bytes() == first + b"more\n"
    assert faulty.received() == 5 + 2 * KIB


def test_a_host_that_never_answers_is_given_up(faulty):
    faulty.put("b/log.jsonl", rows(0, 10))
    faulty.fault = lambda *_: faulty.release.wait(30) and None
    with pytest.raises(Unreadable, match=r"faulty://b: cannot be reached \(no answer within 0.1"):
        look(timeout=0.1)
    faulty.release.set()


def test_more_objects_than_anybody_means(faulty, monkeypatch):
    monkeypatch.setattr("trainlens.remote.listing.MOST", 500)
    for i in range(501):
        faulty.put(f"b/{i}/log.jsonl", b"")
    with pytest.raises(Unreadable, match="means 501 objects, more than 500; name a folder closer"):
        look()


def test_two_thousand_runs(faulty):
    for i in range(2000):
        faulty.put(f"b/{i}/log.jsonl", rows(0, 3))
    path, notices = look()
    assert len(tree(path)) == 2000
    assert not notices
    assert faulty.listed == 1


HOSTILE = ["../../../out.jsonl", "..", "/abs.jsonl", "a", "a/b.jsonl", "Run/log.jsonl",
           "run/log.jsonl", "c\x1b[31m\n.jsonl", "x" * 900 + ".jsonl", "d//e.jsonl", "~/f.jsonl",
           "nul\0.jsonl", "/".join(["deep"] * 500) + ".jsonl"]  # fmt: skip


def test_names_that_nobody_should_give(faulty, cache):
    for name in HOSTILE:
        faulty.put(f"b/{name}", rows(0, 30))
    runs = trainlens.load("faulty://b")
    assert len(runs) == len(HOSTILE)
    assert all(r.points == 30 for r in runs)
    assert {r.source for r in runs} == {f"faulty://b/{name}" for name in HOSTILE}
    assert len({r.name for r in runs}) == len(HOSTILE)
    inside = [p for p in cache.parent.rglob("*") if cache in p.parents or p == cache]
    assert sorted(inside) == sorted(cache.parent.rglob("*")), "a file lies outside of the cache"
    assert not [p for p in inside if p.is_symlink()]


def test_the_mirror_is_the_users_alone(faulty, cache):
    faulty.put("b/log.jsonl", rows(0, 30))
    look()
    [folder] = (cache / "mirrors").iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("place", ["off", "{tmp}/file/below"])
def test_without_a_cache_the_mirror_is_a_passing_one(faulty, tmp_path, monkeypatch, place):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TRAINLENS_CACHE", place.format(tmp=tmp_path))
    faulty.put("b/log.jsonl", rows(0, 30))
    run = trainlens.load_one(f"faulty://b/log.jsonl?{place[0]}".split("?")[0])
    assert run.points == 30
    assert run.source == "faulty://b/log.jsonl"
    assert not (tmp_path / "cache").exists()


def test_another_process_at_the_same_mirror_is_no_obstacle(faulty):
    faulty.put("b/log.jsonl", rows(0, 30))
    first = Mirror("faulty://b", lambda _: False, calls())
    second = Mirror("faulty://b", lambda _: False, calls())
    assert not first.passing
    assert second.passing
    for mirror in (first, second):
        mirror.refresh()
        assert tree(mirror.root) == {"log.jsonl": rows(0, 30)}
        mirror.close()
    third = Mirror("faulty://b", lambda _: False, calls())
    assert not third.passing
    third.close()


def test_old_mirrors_give_way(faulty, cache, monkeypatch):
    monkeypatch.setenv("TRAINLENS_CACHE_SIZE", "1500")
    for name in ("a", "b", "c"):
        faulty.put(f"{name}/log.jsonl", rows(0, 30))
        look(f"faulty://{name}")
        for state in cache.rglob("state.json"):
            os.utime(state, (1e9 + ord(name), 1e9 + ord(name)))
    held = {p.read_bytes() for p in cache.rglob("log.jsonl")}
    assert held == {rows(0, 30)}
    assert len(list((cache / "mirrors").iterdir())) < 3


def test_patterns_in_urls(faulty):
    for name in ("exp-1/log.jsonl", "exp-2/log.jsonl", "other/log.jsonl"):
        faulty.put(f"b/{name}", rows(0, 30))
    runs = trainlens.load("faulty://b/exp-*/")
    assert [r.name for r in runs] == ["exp-1", "exp-2"]
    assert [r.source for r in runs] == [f"faulty://b/exp-{i}/log.jsonl" for i in (1, 2)]
    assert not [p for p, _, _ in faulty.asked if "other" in p]
    with pytest.raises(NotFound, match="no object fits this pattern"):
        trainlens.load("faulty://b/none-*")


def test_a_name_with_brackets_is_a_name(faulty):
    faulty.put("b/run[1].jsonl", rows(0, 30))
    faulty.put("b/run1.jsonl", rows(0, 20))
    run = trainlens.load_one("faulty://b/run[1].jsonl")
    assert run.points == 30
    assert run.source == "faulty://b/run[1].jsonl"


def test_damage_is_named_by_its_url(faulty):
    faulty.put("b/exp/log.jsonl", rows(0, 30) + b'{"step": 31, "lo')
    faulty.put("b/exp/empty.jsonl", b"")
    runs = trainlens.load("faulty://b/exp")
    said = [*runs.notices, *(n for r in runs for n in r.notices)]
    assert [n.kind for n in runs[0].notices] == ["torn-tail"]
    assert not [n for n in said if "mirror" in str(n)]
    with pytest.raises(SourceError, match=r"^faulty://b/exp/empty.jsonl: ") as error:
        trainlens.load("faulty://b/exp/empty.jsonl")
    assert "mirror" not in str(error.value)


def test_a_followed_log_grows_here_as_it_grows_there(faulty):
    content = rows(0, 5_000)
    rng = np.random.default_rng(4)
    reader, seen = None, 0
    for cut in [*sorted(rng.integers(1, len(content), 12)), len(content)]:
        faulty.put("b/log.jsonl", content[:cut])
        look()
        if reader is None:
            [source] = trainlens.discover("faulty://b")
            reader = trainlens.readers.open_source(source)
        seen += sum(len(c.value) for c in reader.poll().columns)
    assert seen + sum(len(c.value) for c in reader.poll(final=True).columns) == 5_000
