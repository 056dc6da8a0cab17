"""`diagnose`, `diagnose_all` and `report` take the same words for how runs are judged."""

import inspect
from datetime import date

import numpy as np
import pytest

import trainlens
from trainlens.api import How, _judging
from trainlens.errors import UsageError
from trainlens.run import Chunk, Column, Run, unknown


@pytest.fixture
def run():
    loss = Column("loss", np.arange(99), 3 / (1.0 + np.arange(99)), unknown(99), unknown(99))
    return Run("r", "r", "jsonl").extend(Chunk((loss,)))


def calls(run, folder):
    yield lambda **how: trainlens.diagnose(run, **how)
    yield lambda **how: trainlens.diagnose_all([run], **how)
    yield lambda **how: trainlens.report([run], folder / "out", plots=False, **how)


def test_the_words_are_those_that_are_explained():
    assert list(inspect.signature(_judging).parameters) == list(How.__annotations__)
    assert all(f"{name}" in (How.__doc__ or "") for name in How.__annotations__)


def test_a_word_that_does_not_exist_is_refused(run, tmp_path):
    for call in calls(run, tmp_path):
        with pytest.raises(TypeError, match="profil"):
            call(profil="seed")


def test_every_call_heeds_them(run, tmp_path):
    for call in calls(run, tmp_path):
        with pytest.raises(UsageError, match="unknown rule 'nonsense'"):
            call(select=["nonsense"])
    found = trainlens.diagnose(run, select=["divergence"]).results
    assert {f.rule for f in found} == {"divergence"}


def test_what_is_not_in_force_is_a_warning_at_the_caller_s_line(run, tmp_path):
    config = {"suppress": [{"rule": "non-finite", "reason": "x", "expires": date(2020, 1, 1)}]}
    for call in calls(run, tmp_path):
        with pytest.warns(UserWarning, match="expired on 2020-01-01") as told:
            call(config=config)
        assert told[0].filename == __file__
