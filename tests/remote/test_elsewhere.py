"""Runs behind a URL, read where the mirror of this process is not to be seen."""

import os
import pickle
import socket
from contextlib import contextmanager
from functools import partial

import pytest
from same import assert_equal

from trainlens.engine import Here
from trainlens.errors import Unreadable
from trainlens.readers import Survey, _elsewhere, load
from trainlens.readers._elsewhere import at_hand, origin
from trainlens.remote.place import Place
from trainlens.run import Runs

dask = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


def itself(run):
    return run


def rows(count):
    return b"".join(b'{"step": %d, "loss": %.6f}\n' % (i, 5 / (i + 1)) for i in range(count))


def all_of(survey, engine=None):
    return Runs(list(survey.each(itself, engine)), survey.notices)


@contextmanager
def cluster(cache, workers=2, **settings):
    """An engine whose workers have another cache folder, two threads each."""
    distributed = pytest.importorskip("distributed", reason="needs the extra dask")
    from trainlens.engine.dask import Dask

    env = {"TRAINLENS_CACHE": str(cache), **settings}
    with distributed.LocalCluster(
        n_workers=workers, threads_per_worker=2, dashboard_address="127.0.0.1:0", env=env
    ) as held:
        engine = Dask(held.scheduler_address)
        yield engine
        engine.close()


@pytest.fixture
def away(cache, monkeypatch, faulty):
    """Another process on another machine, played by this one: call it when a survey is made."""
    monkeypatch.setattr(_elsewhere, "_made", {})

    def leave():
        cache.rename(cache.with_name("of the other machine"))
        monkeypatch.setenv("TRAINLENS_CACHE", str(cache.with_name("here")))

    return leave


@dask
def test_workers_that_lack_the_mirror_make_one(s3, sample_runs, cache, tmp_path):
    s3.put(str(sample_runs), "bucket/exp/sample_runs", recursive=True)
    here = load(sample_runs)
    survey = Survey("s3://bucket/exp/sample_runs")
    cache.rename(tmp_path / "of another machine")
    with cluster(tmp_path / "there") as engine:
        for _ in range(2):
            there = all_of(survey, engine)
            assert_equal(there, here)
            assert not there.notices
            assert all(r.source.startswith("s3://bucket/exp/sample_runs/") for r in there)
        # What has changed by the next command is seen, also by workers that have a mirror.
        s3.pipe("bucket/exp/sample_runs/new.jsonl", rows(30))
        (new,) = all_of(Survey("s3://bucket/exp/sample_runs/new.jsonl"), engine)
        again = all_of(Survey("s3://bucket/exp/sample_runs"), engine)
    assert len(again) == len(here) + 1
    assert len(new.series["loss", "train"]) == 30
    mirrors = list((tmp_path / "there" / "mirrors").iterdir())
    assert len(mirrors) == 1, "both workers of a machine use one mirror"


@dask
def test_a_worker_that_cannot_reach_the_url_says_so(s3, cache, tmp_path):
    s3.pipe("bucket/run/log.jsonl", rows(30))
    survey = Survey("s3://bucket/run")
    cache.rename(tmp_path / "of another machine")
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
    with (
        cluster(tmp_path / "there", workers=1, **nowhere) as engine,
        pytest.raises(Unreadable, match=rf"^s3://bucket/run: cannot .*, on {socket.gethostname()}"),
    ):
        all_of(survey, engine)


def test_one_look_serves_all_runs_of_a_survey(faulty, away):
    for i in range(20):
        faulty.put(f"b/run-{i}/log.jsonl", rows(2000))
    survey = Survey("faulty://b")
    away()
    faulty.listed = 0
    there = all_of(survey)
    assert [len(r.series["loss", "train"]) for r in there] == [2000] * 20
    assert {r.source for r in there} == {f"faulty://b/run-{i}/log.jsonl" for i in range(20)}
    assert faulty.listed == 1
    all_of(survey)
    assert faulty.listed == 1
    faulty.asked.clear()
    all_of(Survey("faulty://b"))
    assert faulty.asked == []


def test_where_the_mirror_is_nothing_is_looked_at(faulty):
    faulty.put("b/log.jsonl", rows(50))
    survey = Survey("faulty://b")
    faulty.listed = 0
    (run,) = all_of(survey, Here())
    assert len(run.series["loss", "train"]) == 50
    assert faulty.listed == 0


def test_an_old_mirror_of_the_same_path_is_not_taken_for_the_new(faulty, away, cache, monkeypatch):
    faulty.put("b/log.jsonl", rows(10))
    Survey("faulty://b")
    away()
    monkeypatch.setenv("TRAINLENS_CACHE", str(cache))
    faulty.put("b/log.jsonl", rows(90))
    survey = Survey("faulty://b")
    # The machine of the worker: same paths, what was mirrored there long ago.
    cache.rename(cache.with_name("spare"))
    cache.with_name("of the other machine").rename(cache)
    (run,) = all_of(survey)
    assert len(run.series["loss", "train"]) == 90


def test_what_could_not_be_fetched_there_is_told_once(faulty, away):
    faulty.put("b/a.jsonl", rows(20_000))
    faulty.put("b/b.jsonl", rows(50))
    survey = Survey("faulty://b")
    away()

    def fault(path, start, end):
        if path == "b/a.jsonl" and end - start > 100_000:
            raise PermissionError("no more of it")

    faulty.fault = fault
    there = all_of(survey)
    assert [r.name for r in there] == ["a", "b"]
    assert len(there[1].series["loss", "train"]) == 50
    (notice,) = there.notices
    assert notice.kind == "unreadable"
    assert notice.where.startswith("faulty://b/a.jsonl, bytes ")


def test_names_that_mean_other_objects_there_are_refused(faulty, away, monkeypatch):
    faulty.put("b/log.jsonl", rows(10))
    faulty.put("b/LOG.jsonl", rows(99))
    survey = Survey("faulty://b")
    away()
    # There, the other one of the two came first.
    capitals = faulty.objects.pop("b/LOG.jsonl")
    Survey("faulty://b")
    faulty.put("b/LOG.jsonl", capitals)
    with pytest.raises(Unreadable, match=r"faulty://b/LOG\.jsonl: is not, or not by the same name"):
        all_of(survey)


def test_a_run_that_is_gone_by_then_is_named(faulty, away):
    faulty.put("b/log.jsonl", rows(10))
    faulty.put("b/other.jsonl", rows(10))
    survey = Survey("faulty://b")
    away()
    del faulty.objects["b/log.jsonl"]
    (run,) = all_of(survey)
    assert run.name == "other"
    (notice,) = survey.notices
    assert notice.kind == "unreadable"
    assert socket.gethostname() in notice.message


def test_no_password_is_shown(faulty):
    faulty.put("me:secret@b/log.jsonl", rows(10))
    (source,) = Survey("faulty://me:secret@b").sources
    known = origin(source)
    assert known.url == "faulty://me:secret@b"
    assert "secret" not in repr(known)
    assert pickle.loads(pickle.dumps(known)) == known
    assert at_hand(source, known) == (source, ())


def test_who_waits_for_a_mirror_gets_the_same_one(cache):
    import threading

    first = Place("key")
    threading.Timer(0.3, first.close).start()
    second = Place("key", patience=30.0)
    assert second.folder == first.folder
    third = Place("key")
    assert third.passing
    second.close()


def test_files_of_this_disk_have_no_origin(tmp_path):
    (tmp_path / "log.jsonl").write_bytes(rows(10))
    (source,) = Survey(tmp_path).sources
    assert origin(source) is None
    assert partial(at_hand, source)(None) == (source, ())
    assert not os.path.exists(tmp_path / "cache")
