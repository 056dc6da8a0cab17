"""The command that explains the rules, and the page of them."""

import json
import re
import sys
from pathlib import Path

import pytest

from trainlens.catalogue import catalogue
from trainlens.cli import main
from trainlens.render.catalogue import advice, listing, page
from trainlens.rules import PROFILES, all_rules
from trainlens.rules._measured import parsed
from trainlens.rules.base import SUBJECTS

PAGE = Path(__file__).parent.parent / "docs" / "rules.md"
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
    assert entry.rule.advice in text
    assert "--set loss-spike.least_points=30   points" in text
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


def without_figures(text):
    """The page but for what the benchmark writes."""
    text = re.sub(r"(^\| \[`.*?\| \w+ \|) [\d.–]+ \| [\d.–]+ \|", r"\1", text, flags=re.MULTILINE)
    return re.sub(r"^- Measured: .*$", "- Measured", text, flags=re.MULTILINE)


def test_the_page_of_the_rules_is_up_to_date():
    held = PAGE.read_text(encoding="utf-8")
    assert without_figures(held) == without_figures(page(catalogue(), "default")), (
        "run: trainlens rules --md --no-plugins > docs/rules.md"
    )


def test_figures_do_not_make_the_page_out_of_date():
    bare, filled = (
        page(catalogue(measured={}), "default"),
        page(catalogue(measured=parsed(FILE)), "default"),
    )
    assert bare != filled
    assert without_figures(bare) == without_figures(filled)
