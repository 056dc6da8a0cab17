"""The command that explains the rules, and the page of them."""

import json
import sys

import pytest

from trainlens.catalogue import Setting, body, catalogue, settings_of
from trainlens.cli import main
from trainlens.render.catalogue import advice, listing
from trainlens.rules import PROFILES, all_rules
from trainlens.rules._measured import parsed
from trainlens.rules.base import SUBJECTS, Rule, Severity

FILE = {
    "command": "python -m benchmarks.diagnosis",
    "date": "2026-11-21",
    "rules": {"loss-spike": {"precision": 0.99, "recall": 0.97, "runs": 1400}, "outlier": {}},
}


@pytest.fixture
def trainlens(monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["trainlens", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return ended.value.code, told.out, told.err

    return run


@pytest.mark.parametrize("profile", PROFILES)
def test_every_rule_stands_under_its_subject(trainlens, profile):
    code, out, _ = trainlens("rules", "--profile", profile, "--no-plugins")
    assert code == 0
    subject, found = None, {}
    for line in out.splitlines()[1:]:
        if line in SUBJECTS.values():
            subject = line
        elif line:
            found[line.split()[0]] = subject
    assert found == {n: SUBJECTS[r.about] for n, r in all_rules(profile).items()}


def test_the_list_has_the_figures_where_there_are_some():
    text = listing(catalogue(measured=parsed(FILE)), columns=10_000)
    row = next(line for line in text.splitlines() if line.startswith("loss-spike "))
    assert row.split()[:4] == ["loss-spike", "warning", "0.990", "0.970"]
    row = next(line for line in text.splitlines() if line.startswith("divergence "))
    assert row.split()[:4] == ["divergence", "error", "–", "–"]
    row = next(line for line in text.splitlines() if line.startswith("outlier "))
    assert row.split()[:4] == ["outlier", "info", "–", "–"]


def test_one_rule_has_its_advice_settings_variants_figures_and_source():
    (entry,) = [e for e in catalogue(measured=parsed(FILE)) if e.rule.name == "loss-spike"]
    text = advice(entry)
    assert entry.rule.title in text
    assert body(entry.rule) in text
    assert "--set loss-spike.least_points=30   points\n      Fewer are not judged." in text
    assert "In profile seed: " in text
    assert "sigma=3.0" in text
    assert "precision 0.990, recall 0.970 on 1\u202f400 runs by `python -m ben" in text
    assert entry.rule.source in text


def test_figures_of_the_default_profile_are_not_those_of_another():
    entries = {e.rule.name: e for e in catalogue("seed", measured=parsed(FILE))}
    assert entries["loss-spike"].measured is None
    assert entries["outlier"].measured is not None


def test_json(trainlens):
    document = json.loads(trainlens("rules", "--json", "--no-plugins")[1])
    assert document["schema"] == "trainlens.rules/1"
    assert {r["name"] for r in document["rules"]} == set(all_rules())
    spike = next(r for r in document["rules"] if r["name"] == "loss-spike")
    assert spike.keys() == {
        "name", "about", "severity", "title", "advice", "settings", "requires", "source",
        "package", "variants", "measured",
    }  # fmt: skip
    assert [s["name"] for s in spike["settings"]] == list(all_rules()["loss-spike"].defaults)
    assert spike["variants"]["seed"]["window"] == 100
    only = json.loads(trainlens("rules", "loss-spike", "--json", "--no-plugins")[1])
    assert only["rules"] == [spike]


def test_an_unknown_rule_is_one_line_with_the_nearest(trainlens):
    code, out, err = trainlens("rules", "los-spike")
    assert (code, out) == (2, "")
    assert err.strip() == "trainlens: unknown rule 'los-spike'; did you mean 'loss-spike'?"


def test_the_page_of_all_rules_holds_every_one_of_them(trainlens):
    held = trainlens("rules", "--md", "--no-plugins")[1]
    for entry in catalogue():
        assert f"| [`{entry.rule.name}`](#{entry.rule.name}) |" in held
        assert f"\n### {entry.rule.name}\n" in held
        assert body(entry.rule) in held
        assert all(f"| `{s.name}` | {s.default} | {s.unit} |" in held for s in entry.settings)
        assert entry.rule.source.replace("<", "\\<") in held


def test_the_page_of_one_rule(trainlens):
    held = trainlens("rules", "loss-spike", "--md", "--no-plugins")[1]
    assert held.startswith("# loss-spike\n\n*warning*")
    assert "| `least_points` | 30 | points | Fewer are not judged. |" in held
    assert "$ trainlens diagnose PATH --set loss-spike.least_points=30" in held
    assert "## In the profile seed\n" in held
    assert "--profile seed --set loss-spike.sigma=3.0" in held
    assert held.count("\n- Source: ") == 2


def test_the_page_of_a_rule_without_settings(trainlens):
    held = trainlens("rules", "non-finite", "--md", "--no-plugins")[1]
    assert "## Settings\n\nNo settings." in held
    assert "--set" not in held


def test_settings_are_read_from_their_section():
    (entry,) = [e for e in catalogue() if e.rule.name == "stalled-log"]
    found = {s.name: (s.unit, s.meaning) for s in entry.settings}
    assert found["now"] == (
        "Unix seconds",
        "The time at which a log is watched; a monitor gives it.",
    )
    assert "Settings" not in body(entry.rule)
    assert entry.rule.advice.startswith(f"{entry.rule.title}.\n\n{body(entry.rule)}")


def test_a_setting_outside_of_the_section_has_the_unit_of_its_name():
    def check(run, *, window=20, odd=1.0):
        """A title.

        The last `window` points count. Nothing else does.

        Settings
        --------
        odd : widgets
            How odd,
            over two lines.
        """

    rule = Rule("x", Severity("info"), check)
    assert settings_of(rule) == (
        Setting("window", 20, "points", "The last `window` points count."),
        Setting("odd", 1.0, "widgets", "How odd, over two lines."),
    )


@pytest.mark.parametrize(("long", "short"), [("md", "--md"), ("json", "--json")])
def test_the_format_is_named_as_elsewhere(trainlens, long, short):
    assert trainlens("rules", "outlier", "--format", long) == trainlens("rules", "outlier", short)
    assert trainlens("rules", "--format", "text") == trainlens("rules")
    other = "json" if long == "md" else "md"
    code, out, err = trainlens("rules", short, "--format", other)
    assert (code, out) == (2, "")
    assert "exclude each other" in err
