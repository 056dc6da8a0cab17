"""``docs/profiles.md`` names every rule of the profiles and every default."""

import re
from pathlib import Path

import pytest

from trainlens.rules import all_rules

PAGE = Path(__file__).parent.parent.parent / "docs" / "profiles.md"
OWN = [(p, n) for p in ("seed", "sagemaker") for n, r in all_rules(p).items() if r.profile == p]
# How many findings, and how many points are needed, is no threshold of a document.
_TECHNICAL = {"most", "least_points"}


def rows(profile):
    part = PAGE.read_text(encoding="utf-8").split(f"\n## {profile}", 1)[1].split("\n## ", 1)[0]
    return [line for line in part.splitlines() if line.startswith("|")]


@pytest.mark.parametrize(("profile", "name"), OWN)
def test_a_row_has_the_rule_and_its_defaults(profile, name):
    said = [row for row in rows(profile) if f"`{name}`" in row]
    assert said
    told = {m for row in said for m in re.findall(r"`(\w+=[^`]+)`", row)}
    for setting, default in all_rules(profile)[name].defaults.items():
        assert setting in _TECHNICAL or f"{setting}={default}" in told


def test_every_rule_that_a_row_names_exists():
    for profile in ("seed", "sagemaker"):
        named = {m for row in rows(profile) for m in re.findall(r"`([a-z]+(?:-[a-z]+)+)`", row)}
        assert named <= set(all_rules(profile))
