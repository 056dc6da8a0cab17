"""The diagnosis of the sample runs says what is wrong with them, and nothing else."""

import fnmatch
import json
from pathlib import Path

import pytest

import trainlens

SAMPLES = Path(__file__).parent.parent / "sample_runs"
EXPECTED = {
    p.parent.name: json.loads(p.read_text())["runs"] for p in SAMPLES.glob("*/expected.json")
}
CASES = [(folder, pattern) for folder, runs in EXPECTED.items() for pattern in runs]


@pytest.fixture(scope="module")
def diagnoses():
    return {f: [trainlens.diagnose(r) for r in trainlens.load(SAMPLES / f)] for f in EXPECTED}


def test_every_sample_says_what_is_expected_of_it():
    assert {p.name for p in SAMPLES.iterdir() if p.is_dir()} == set(EXPECTED)
    assert len(EXPECTED) >= 5


@pytest.mark.parametrize(("folder", "pattern"), CASES)
def test_the_findings_are_the_expected_ones(diagnoses, folder, pattern):
    matching = [d for d in diagnoses[folder] if fnmatch.fnmatch(d.run.name, pattern)]
    assert matching, f"no run of {folder} is called {pattern}"
    wanted = EXPECTED[folder][pattern]
    for diagnosis in matching:
        found = {f.rule for f in diagnosis.findings if f.severity.value != "info"}
        assert set(wanted["must"]) <= found, diagnosis.run.name
        assert not set(wanted["must_not"]) & found, diagnosis.run.name


def test_every_run_is_expected(diagnoses):
    for folder, found in diagnoses.items():
        for diagnosis in found:
            assert any(fnmatch.fnmatch(diagnosis.run.name, p) for p in EXPECTED[folder])


def test_the_healthy_run_is_called_healthy(diagnoses):
    (healthy,) = diagnoses["healthy_jsonl"]
    assert healthy.verdict == "healthy"
