"""Options that mean the same in every command, and what is said of names that are none."""

import math

import pytest

from tests.monitor.growing import add, record
from tests.shell import run
from trainlens import rules


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        ("diagnos", "did you mean 'diagnose'?"),
        ("xyz", "there are: baseline, compare"),
    ],
)
def test_a_wrong_command_names_the_nearest_or_all(command, hint):
    code, out, err = run(command, "somewhere")
    assert (code, out) == (2, "")
    assert f"No such command {command!r}; {hint}" in err
    assert "No such option" in run("--nonsense")[2]


def test_a_wrong_metric_names_the_nearest(tmp_path):
    add(tmp_path / "a.jsonl", *(record(s, 1.0) for s in range(9)))
    _, _, err = run("plot", tmp_path, "--metric", "totl", "-o", tmp_path / "a.png")
    assert "no run has totl; did you mean 'total'?" in err


def test_what_is_made_of_a_damaged_log_is_no_success_where_that_is_asked(tmp_path):
    kept = [record(s, 1.0) for s in range(20)]
    log = tmp_path / "a.jsonl"
    (tmp_path / "t.json").write_text('[{"metric": "total", "op": "<", "value": 2}]')
    commands = (
        ("baseline", "check", "--expect", tmp_path / "t.json", log),
        ("plot", "--metric", "total", "-o", tmp_path / "a.png", log),
        ("export", "-o", tmp_path / "a.csv", log),
    )
    for text, strict in ((kept, 0), ([*kept[:9], '{"step": 9, "los\n', *kept[10:]], 1)):
        log.write_text("".join(text))
        for command in commands:
            assert run(*command)[0] == 0
            assert run(*command, "--strict")[0] == strict


def test_a_plot_marks_what_the_settings_of_the_project_count(tmp_path, monkeypatch):
    add(tmp_path / "a.jsonl", *(record(s, math.nan if 60 <= s < 70 else 1.0) for s in range(100)))
    seen = []
    diagnose = rules.diagnose
    monkeypatch.setattr(rules, "diagnose", lambda *a, **k: seen.append(k) or diagnose(*a, **k))
    target = tmp_path / "a.png"
    run("plot", "--kind", "dashboard", "--ignore", "non-finite", "-o", target, tmp_path / "a.jsonl")
    assert [asked["ignore"] for asked in seen] == [("non-finite",)]
    assert target.exists()
