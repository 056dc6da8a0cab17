"""Settings of a project: where they are found, what may stand in them, and what they change."""

from datetime import date

import numpy as np
import pytest

import trainlens
from trainlens.asked import Given, ask
from trainlens.errors import UsageError
from trainlens.rules.base import Finding, Severity, Status
from trainlens.run import Chunk, Column, Run, unknown
from trainlens.settings import find, load, parse, with_meanings
from trainlens.settings._keys import Place
from trainlens.settings.meaning import meaning
from trainlens.settings.suppress import suppression

TODAY = date(2026, 5, 1)


def a_run(name="exp-1", source="/runs/exp-1.jsonl", **series):
    columns = []
    for metric, value in series.items():
        value = np.asarray(value, float)
        blank = unknown(len(value))
        columns.append(
            Column(metric.replace("__", "/"), np.arange(len(value)), value, blank, blank)
        )
    return Run(name, source, "jsonl").extend(Chunk(tuple(columns)))


def falling(n=400):
    rng = np.random.default_rng(0)
    return 3 * (1 + np.arange(n)) ** -0.3 * np.exp(0.01 * rng.standard_normal(n))


def broken(n=400):
    value = falling(n)
    value[300:] = np.nan
    return value


def asked(table, **given):
    return ask(Given(**given), parse(table, Place("t.toml")), TODAY)


# --- where they are found --------------------------------------------------------------------


def test_the_nearest_file_from_a_folder_upward_counts(tmp_path):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    assert find(inner) is None
    (tmp_path / "trainlens.toml").write_text("")
    assert find(inner) == tmp_path / "trainlens.toml"
    (tmp_path / "a" / "pyproject.toml").write_text("[tool.trainlens]\n")
    assert find(inner) == tmp_path / "a" / "pyproject.toml"
    (inner / "pyproject.toml").write_text('[project]\nname = "trainlens-user"\n')
    assert find(inner) == tmp_path / "a" / "pyproject.toml"
    (tmp_path / "a" / "trainlens.toml").write_text("")
    assert find(inner) == tmp_path / "a" / "trainlens.toml"


def test_what_lies_above_a_repository_is_not_asked(tmp_path):
    (tmp_path / "trainlens.toml").write_text("")
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    (tmp_path / "repo" / "src").mkdir()
    assert find(tmp_path / "repo" / "src") is None


def test_settings_of_pyproject(tmp_path):
    path = tmp_path / "pyproject.toml"
    path.write_text(
        '[tool.trainlens]\nprofile = "seed"\n[tool.trainlens.rules.outlier]\nshare = 0.2\n'
    )
    held = load(path)
    assert (held.profile, held.rules) == ("seed", {"outlier": {"share": 0.2}})
    path.write_text('[tool.trainlens.rules.outlier]\nseverity = "bad"\n')
    with pytest.raises(
        UsageError, match=r"pyproject.toml: tool.trainlens.rules.outlier.severity: "
    ):
        load(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a = b", ["no valid TOML", "line 1"]),
        (b"\xff\xfe", ["UTF-8"]),
        (None, ["cannot be read", "No such file"]),
    ],
)
def test_a_file_that_is_none_is_one_line(tmp_path, content, words):
    path = tmp_path / "t.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        load(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    assert all(word in text for word in words)


def test_a_pyproject_without_our_table_is_told(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.other]\n")
    with pytest.raises(UsageError, match=r"no \[tool.trainlens\]"):
        load(tmp_path / "pyproject.toml")


# --- what may stand in them ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"profil": "seed"}, ["t.toml: profil: ", "did you mean 'profile'?"]),
        ({"profile": 3}, ["profile: ", "expected a text"]),
        ({"profile": "sed"}, ["profile: ", "did you mean 'seed'?"]),
        ({"select": "loss-spike"}, ["select: ", "expected names of rules"]),
        ({"select": ["los-spike"]}, ["select: ", "did you mean 'loss-spike'?"]),
        ({"ignore": [1]}, ["ignore: ", "expected names of rules"]),
        ({"fail-on": "bad"}, ["fail-on: ", "info, warning, error or never", "'bad'"]),
        ({"rules": []}, ["rules: ", "expected a table"]),
        ({"rules": {"outlier": 3}}, ["rules.outlier: ", "expected a table"]),
        ({"rules": {"outlir": {"share": 1}}}, ["rules.outlir: ", "did you mean 'outlier'?"]),
        ({"rules": {"outlier": {"shar": 1}}}, ["rules.outlier.shar: ", "'share'?"]),
        ({"rules": {"outlier": {"share": "x"}}}, ["rules.outlier.share: ", "expected a number"]),
        ({"rules": {"outlier": {"least_points": 2.5}}}, ["expected a whole number above 0"]),
        ({"rules": {"outlier": {"severity": "bad"}}}, ["rules.outlier.severity: ", "info, w"]),
        ({"roles": {"x": "metrik:max"}}, ['roles."x": ', "did you mean 'metric'?"]),
        ({"roles": {"x": "metric"}}, ["lower or higher is better"]),
        ({"roles": {"x": "metric:up"}}, ["min (lower is better) or max"]),
        ({"roles": {"x": {"rol": "loss"}}}, ["did you mean 'role'?"]),
        ({"roles": {"x": {"role": 3}}}, ["role is a text"]),
        ({"roles": {"x": 3}}, ["ROLE[:DIRECTION[:UNIT]]"]),
        ({"suppress": {"rule": "outlier"}}, ["[[suppress]], with two brackets"]),
        ({"suppress": [{"rule": "outlier"}]}, ["suppress, number 1: ", "reason is missing"]),
        ({"suppress": [{"reason": "x"}]}, ["rule is missing"]),
        ({"suppress": [{"rule": "outlier", "reason": " "}]}, ["reason must be a text"]),
        ({"suppress": [{"rule": "no-such", "reason": "x"}]}, ["number 1: ", "no rule 'no-such'"]),
        ({"suppress": [{"rule": "x", "reason": "x", "step": [1, 2]}]}, ["did you mean 'steps'?"]),
        ({"suppress": [{"rule": "x", "reason": "x", "steps": [2, 1]}]}, ["[1000, 2000]"]),
        ({"suppress": [{"rule": "x", "reason": "x", "steps": 5}]}, ["[1000, 2000]"]),
        ({"suppress": [{"rule": "x", "reason": "x", "expires": "2026-01-01"}]}, ["without quotes"]),
        ({"suppress": [{"rule": "x", "reason": "x", "run": "."}]}, ["run: ", "no pattern"]),
    ],
)
def test_a_wrong_setting_is_one_line_with_file_key_and_remedy(table, words):
    with pytest.raises(UsageError) as caught:
        asked(table)
    text = str(caught.value)
    assert text.startswith("t.toml: ")
    assert "\n" not in text
    assert all(word in text for word in words), text


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        (7, 7), (7.0, 7), (0, None), (-1, None), (2.5, None), (True, None), ("7", None),
        (float("inf"), None), (float("nan"), None), ([7], None),
    ],
)  # fmt: skip
def test_a_whole_number_above_zero_stays_one(value, fits):
    table = {"rules": {"outlier": {"least_points": value}}}
    if fits is None:
        with pytest.raises(UsageError, match="expected a whole number above 0 such as 30"):
            asked(table)
    else:
        found = asked(table).judge.settings["outlier"]["least_points"]
        assert (found, type(found)) == (fits, int)


def test_a_threshold_given_as_text_is_one_line_in_the_api():
    with pytest.raises(UsageError, match=r"^rule outlier: share: expected a number above 0"):
        trainlens.diagnose(a_run(loss=falling()), settings={"outlier": {"share": "much"}})


# --- what counts more ------------------------------------------------------------------------


def test_the_command_line_counts_more_than_the_file_and_that_more_than_defaults():
    table = {
        "profile": "seed",
        "fail-on": "error",
        "ignore": ["outlier", "slow-batch"],
        "rules": {"divergence": {"ratio": 2, "slow": 1.5}},
    }
    held = asked(table)
    assert (held.judge.profile, held.fail_on) == ("seed", "error")
    assert held.judge.ignore == ("outlier", "slow-batch")
    over = asked(
        table, profile="default", fail_on="never", settings={"divergence": {"ratio": 3.0}},
        select=("outlier",),
    )  # fmt: skip
    assert (over.judge.profile, over.fail_on) == ("default", "never")
    assert over.judge.settings == {"divergence": {"ratio": 3.0, "slow": 1.5}}
    assert (over.judge.select, over.judge.ignore) == (("outlier",), ("slow-batch",))
    assert asked(table, ignore=("divergence",)).judge.ignore == ("divergence",)
    assert asked({}).judge.profile == "default"
    assert asked({}).fail_on is None


def test_select_of_the_file_gives_way_to_ignore_of_the_command_line():
    table = {"select": ["outlier", "divergence"]}
    assert asked(table).judge.select == ("outlier", "divergence")
    assert asked(table, ignore=("outlier",)).judge.select == ("divergence",)
    with pytest.raises(UsageError, match="none of these rules"):
        asked({"select": ["outlier"]}, ignore=("outlier",))


def test_a_threshold_of_another_profile_is_told_not_refused():
    table = {"rules": {"loss-spike": {"sigma": 4.0}}}
    assert asked(table, profile="seed").judge.settings == {"loss-spike": {"sigma": 4.0}}
    held = asked(table)
    assert held.judge.settings == {}
    (notice,) = held.notices
    assert "rules.loss-spike.sigma: not used, profile default" in str(notice)


# --- severity --------------------------------------------------------------------------------


def test_the_severity_of_a_rule_is_that_of_its_faults():
    run = a_run(loss=broken())
    assert trainlens.diagnose(run).verdict == "failing"
    held = trainlens.diagnose(run, config={"rules": {"non-finite": {"severity": "warning"}}})
    assert held.verdict == "warning"
    (fault,) = [f for f in held.results if f.rule == "non-finite"]
    assert fault.severity is Severity.WARNING
    # What a broken series keeps others from judging does not depend on it.
    assert {f.rule for f in held.results if "not judged" in f.message} == {
        f.rule for f in trainlens.diagnose(run).results if "not judged" in f.message
    }


# --- roles -----------------------------------------------------------------------------------


def test_a_role_reaches_the_series_and_the_verdict():
    run = a_run(loss=falling(), my__thing=np.arange(400.0))
    said = (meaning("my/thing", "metric:max:mm"),)
    told, used = with_meanings(run, said)
    assert used == ("my/thing",)
    (series,) = told.with_role("metric")
    assert (series.name, series.role.direction, series.unit) == ("my/thing", "max", "mm")
    assert not run.with_role("metric")
    held = trainlens.diagnose(run, config={"roles": {"my/thing": "metric:max:mm"}})
    assert held.run.main("metric").unit == "mm"
    assert held.run.main("metric").finite.role.unit == "mm"


@pytest.mark.parametrize("name", ["val/score", "score", "val_score", "val_*", "*/sc?re"])
def test_a_role_is_given_by_any_name_of_a_metric(name):
    run = a_run(val_score=falling())
    told, used = with_meanings(run, (meaning(name, "other"),))
    assert used == (name,)
    assert [s.role.name for s in told.series.values()] == ["other"]


def test_the_very_name_counts_more_than_a_pattern_and_main_more_than_all():
    run = a_run(loss=falling(), aux=falling(), b=falling())
    said = (meaning("aux", {"role": "loss", "main": True}), meaning("*", "other"))
    told, _ = with_meanings(run, said)
    assert told.main("loss").metric == "aux"
    assert told.series["b", "train"].role.name == "other"
    unsaid, used = with_meanings(run, (meaning("nothing", "other"),))
    assert (unsaid is run, used) == (True, ())


def test_a_logged_unit_gives_way_to_what_a_user_says():
    column = Column("t", np.arange(3), np.ones(3), unknown(3), unknown(3), unit="ms")
    run = Run("r", "r", "jsonl").extend(Chunk((column,)))
    assert run["t"].unit == "ms"
    assert with_meanings(run, (meaning("t", "batch-time::s"),))[0]["t"].unit == "s"


# --- suppressions ----------------------------------------------------------------------------


def fault(rule="loss-spike", metric="loss", split="train", first=100, last=120):
    return Finding(rule, Status.FAIL, Severity.WARNING, metric, split, first, last, "m")


@pytest.mark.parametrize(
    ("given", "covered"),
    [
        ({}, True),
        ({"rule": "loss-*"}, True),
        ({"rule": "outlier"}, False),
        ({"metric": "loss"}, True),
        ({"metric": "train/*"}, True),
        ({"metric": "val/*"}, False),
        ({"run": "exp-*"}, True),
        ({"run": "runs/exp-1.jsonl"}, True),
        ({"run": "exp-1"}, True),
        ({"run": "exp-2"}, False),
        ({"steps": [100, 120]}, True),
        ({"steps": [0, 1000]}, True),
        ({"steps": [101, 120]}, False),
        ({"steps": [100, 119]}, False),
    ],
)
def test_what_a_suppression_covers(given, covered):
    one = suppression(1, {"rule": "loss-spike", "reason": "known", **given})
    assert one.covers("exp-1", "/my/runs/exp-1.jsonl", fault()) is covered


def test_steps_cover_no_finding_about_the_whole_run():
    one = suppression(1, {"rule": "*", "reason": "known", "steps": [0, 10**9]})
    assert not one.covers("r", "r", fault(first=None, last=None))
    assert one.covers("r", "r", fault(last=None))


def test_a_suppressed_fault_stays_and_does_not_count():
    run = a_run(loss=broken())
    rule = {"rule": "non-finite", "reason": "sensor off", "metric": "train/loss"}
    held = trainlens.diagnose(run, config={"suppress": [rule]})
    assert held.verdict == "healthy"
    (known,) = [f for f in held.results if f.rule == "non-finite"]
    assert (known.status, known.suppressed, known.failed) == (Status.FAIL, "sensor off", False)
    assert known.causes
    assert not [f for f in held.findings if f.rule == "non-finite"]


def test_a_suppression_holds_through_its_last_day():
    rule = {"rule": "outlier", "reason": "known", "expires": TODAY}
    held = asked({"suppress": [rule]})
    assert (len(held.judge.suppress), held.notices) == (1, ())
    late = ask(Given(), parse({"suppress": [rule]}, Place("t")), date(2026, 5, 2))
    assert late.judge.suppress == ()
    assert "expired on 2026-05-01" in str(late.notices[0])


def test_what_was_of_no_use_is_told():
    from trainlens.judged import judged

    table = {
        "suppress": [
            {"rule": "non-finite", "reason": "known"},
            {"rule": "outlier", "reason": "known"},
        ],
        "roles": {"loss": "loss", "los": "loss"},
    }
    held = asked(table)
    use = held.use()
    assert use.notices() == []
    told = judged(held.judge(a_run(loss=broken())))
    texts = [n.message for n in use.see_all([told])]
    assert len(texts) == 2
    assert texts[0].startswith("unused suppression: [[suppress]] number 2 (outlier)")
    assert "'los' is unused" in texts[1]
