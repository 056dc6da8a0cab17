"""Rules of other packages: found, run everywhere, and never able to take anything else down."""

import json
import os
import subprocess
import sys

import pytest

GOOD = """
from trainlens.rules.base import fail, passed, rule, skip

@rule("always-odd", severity="warning", about="learning", requires=("non-finite",))
def always_odd(run, *, limit=3):
    '''Says that a run is odd.

    It always is, from `limit` on.
    '''
    yield fail("odd", run.main("loss"), first_step=limit, evidence={"limit": limit})
"""
RAISING = """
from trainlens.rules.base import rule

@rule("breaks", about="data")
def breaks(run, *, limit=3):
    '''Breaks.'''
    raise ZeroDivisionError("nothing\\nto see")
    yield
"""


@pytest.fixture
def site(tmp_path):
    """A folder on the path of other processes, into which packages can be put."""
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "runs" / "a.jsonl"
    path.parent.mkdir()
    lines = [f'{{"step": {i}, "loss": {3 / (1 + i) ** 0.3}}}\n' for i in range(400)]
    path.write_text("".join(lines))
    return path


def install(site, name, code, module=None):
    """A package as an installer leaves it."""
    module = module or name.replace("-", "_")
    (site / f"{module}.py").write_text(code)
    info = site / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[trainlens.rules]\nrules = {module}\n")


def trainlens(site, *arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), os.getcwd()])}
    ran = subprocess.run(
        [sys.executable, "-m", "trainlens", *map(str, arguments)],
        capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert "Traceback" not in ran.stderr, ran.stderr
    return ran


def judged(site, *arguments):
    """Results by rule, and the notices."""
    document = json.loads(trainlens(site, "diagnose", "--json", *arguments).stdout)
    return {f["rule"]: f for f in document["runs"][0]["results"]}, document


def test_a_rule_of_a_package_is_run_set_selected_and_explained(site, log):
    install(site, "odd-rules", GOOD)
    results, document = judged(site, log)
    assert results["always-odd"]["status"] == "fail"
    assert results["always-odd"]["first_step"] == 3
    assert document["runs"][0]["verdict"] == "warning"
    assert document["notices"] == []
    results, _ = judged(site, log, "--set", "always-odd.limit=7", "--select", "always-odd")
    assert {n: f["first_step"] for n, f in results.items()} == {"always-odd": 7}
    ran = trainlens(site, "rules", "always-odd")
    assert "--set always-odd.limit=3" in ran.stdout
    assert "Package: odd-rules" in ran.stdout
    listed = json.loads(trainlens(site, "rules", "--json").stdout)["rules"]
    assert [r["name"] for r in listed if r["package"] == "odd-rules"] == ["always-odd"]


def test_what_a_rule_of_a_package_found_can_be_asked_for(site, log):
    install(site, "odd-rules", GOOD)
    ran = trainlens(site, "prescribe", log, "--rule", "always-odd")
    assert (ran.returncode, "always-odd" in ran.stdout) == (0, True)
    ran = trainlens(site, "prescribe", log, "--rule", "always-odd", "--no-plugins")
    assert ran.returncode == 2
    assert "unknown rule 'always-odd'" in ran.stderr


def test_without_plugins_nothing_of_theirs_is_imported(site, log):
    install(site, "odd-rules", "raise RuntimeError('imported')")
    ran = trainlens(site, "diagnose", log, "--no-plugins")
    assert (ran.returncode, ran.stderr) == (0, "")
    ran = trainlens(site, "diagnose", log, "--no-plugins", "--select", "always-odd")
    assert ran.returncode == 2
    assert "unknown rule 'always-odd'" in ran.stderr


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import no_such_module", ["ModuleNotFoundError", "no_such_module", "line 1"]),
        ("def (", ["SyntaxError"]),
        ("raise SystemExit(3)", ["SystemExit"]),
        (GOOD.replace("always-odd", "loss-spike"), ["'loss-spike'"]),
        (GOOD.replace("always-odd", "Odd"), ["small letters"]),
        (GOOD.replace('about="learning"', 'about="luck"'), ["'luck'", "learning"]),
        (GOOD.replace('about="learning"', 'profile="mine"'), ["profile 'mine'"]),
        (GOOD.replace('"non-finite"', '"no-finite"'), ["requires 'no-finite'", "'non-finite'?"]),
        (GOOD.replace('"non-finite"', '"always-odd"'), ["require each other"]),
        (
            GOOD.replace('rule("always-odd"', 'rule("outlier", profile="seed"'),
            ["'outlier'", "taken"],
        ),
    ],
)
def test_a_package_that_cannot_be_used_is_named_and_the_rest_goes_on(site, log, code, words):
    install(site, "bad-rules", code)
    install(site, "more-rules", GOOD.replace("always-odd", "even-odder"))
    ran = trainlens(site, "diagnose", "--json", log)
    document = json.loads(ran.stdout)
    (notice,) = document["notices"]
    assert (notice["kind"], notice["where"]) == ("own-rules", "bad-rules")
    assert notice["message"].startswith("its rules are left out: ")
    assert "\n" not in notice["message"]
    assert all(word in notice["message"] for word in words), notice["message"]
    names = {f["rule"] for f in document["runs"][0]["results"]}
    assert {"even-odder", "loss-spike", "non-finite", "outlier"} <= names
    assert not {"always-odd", "Odd"} & names


def test_of_two_packages_with_one_name_the_second_is_named(site, log):
    install(site, "one-rules", GOOD)
    install(site, "two-rules", GOOD)
    _, document = judged(site, log)
    (notice,) = document["notices"]
    assert notice["where"] == "two-rules"
    assert "'always-odd'" in notice["message"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_rule_that_breaks_loses_its_own_verdict_only(site, log, workers):
    install(site, "broken-rules", RAISING)
    install(site, "odd-rules", GOOD)
    log.with_name("b.jsonl").write_text(log.read_text().replace("3", "4"))
    _, document = judged(site, log.parent, "--workers", workers)
    assert len(document["runs"]) == 2
    for run in document["runs"]:
        results = {f["rule"]: f for f in run["results"]}
        assert results["breaks"]["status"] == "inconclusive"
        assert results["breaks"]["message"] == (
            "rule breaks of package broken-rules failed: ZeroDivisionError: nothing to see "
            "(broken_rules.py, line 7)"
        )
        assert results["always-odd"]["status"] == "fail"
        (notice,) = run["notices"]
        assert notice["where"] == "broken-rules"
        assert "its verdict is missing" in notice["message"]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("yield 'odd'", "AttributeError"),
        ("return None", "TypeError"),
        ("yield fail(3)", "no message"),
        ("yield fail('x', confidence=7.0)", "between 0 and 1"),
        ("yield fail('x', evidence={'a': 'b'})", "ValueError"),
        ("raise SystemExit(1)\n    yield", "SystemExit"),
    ],
)
def test_what_is_no_finding_is_told(site, log, said, words):
    install(site, "odd-rules", GOOD[: GOOD.index("yield")] + said + "\n")
    results, _ = judged(site, log)
    assert results["always-odd"]["status"] == "inconclusive"
    assert words in results["always-odd"]["message"]


def test_a_wrong_setting_of_an_own_rule_is_the_user_s_mistake(site, log):
    install(site, "odd-rules", GOOD)
    ran = trainlens(site, "diagnose", log, "--set", "always-odd.limit=much")
    assert ran.returncode == 2
    assert "always-odd: limit: expected a whole number above 0" in ran.stderr


def test_workers_without_the_package_are_named():
    from trainlens.errors import UsageError
    from trainlens.run import Run
    from trainlens.work import Judging

    with pytest.raises(UsageError, match=r"package odd-rules are not installed where the runs"):
        Judging(own=("odd-rules",))(Run("r", "r", "jsonl"))


def test_the_example_of_the_docs_works(site, log):
    from pathlib import Path

    text = (Path(__file__).parent.parent / "docs" / "own-rules.md").read_text()
    code = text.split("```python\n")[1].split("```")[0]
    install(site, "lab-rules", code, "lab_rules")
    results, document = judged(site, log)
    assert document["notices"] == []
    assert results["slow-start"]["status"] in ("pass", "fail")
    assert json.loads(trainlens(site, "rules", "--json", "slow-start").stdout)["rules"][0]["source"]
