"""`trainlens prescribe`: text on stdout, a patch in a file, conflicts told."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

import trainlens
from trainlens.cli import cli
from trainlens.errors import UsageError
from trainlens.expectation import Expectation, load
from trainlens.judged import judged
from trainlens.prescribe.plan import Prepared, document, plan, prepared
from trainlens.prescribe.vocabulary import problem
from trainlens.render.prescription import prescription
from trainlens.rules import Diagnosis
from trainlens.rules.base import Finding, Severity, Status
from trainlens.run import Run

N = 600
RNG = np.random.default_rng(0)


def log(folder, name, **series):
    path = folder / f"{name}.jsonl"
    rows = [{"step": i, **{k: float(v[i]) for k, v in series.items()}} for i in range(N)]
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return str(path)


def flat(folder, name="flat"):
    loss = 3.54 * (1 + 0.0003 * RNG.standard_normal(N))
    return log(folder, name, loss=loss, lr=np.full(N, 1e-10), batch_classes=np.full(N, 6))


def healthy(folder):
    loss = 3 / (1.0 + np.arange(N)) ** 0.3 * (1 + 0.01 * RNG.standard_normal(N))
    return log(folder, "ok", loss=loss, lr=np.full(N, 1e-3))


def run(*args):
    result = CliRunner().invoke(
        cli, ["prescribe", *args, "--no-cache", "--no-config"], standalone_mode=False
    )
    if result.exception is not None:
        raise result.exception
    return result


def test_text_says_what_why_and_how_to_verify(tmp_path):
    result = run(flat(tmp_path))
    assert result.return_value == 0
    text = " ".join(result.stdout.split())
    assert "1. error never-learned train/loss" in text
    assert "the learning rate is too small: its peak is 1e−10, and the loss moved by 0.0 %" in text
    assert "1) raise the peak learning rate from 1e−10 to 0.0005 (optimizer.lr: 0.0005)." in text
    assert "Check: the loss falls below its first value" in text
    assert "Expect: end(train/loss) < " in text


def test_the_patch_is_versioned_and_in_the_vocabulary(tmp_path):
    out = tmp_path / "patch.json"
    result = run(flat(tmp_path), "-o", str(out))
    assert result.return_value == 0
    assert f"{out}: 1 setting" in result.stderr
    held = json.loads(out.read_text())
    keys = ["schema", "run", "patch", "because", "verify", "expect", "unmeasured"]
    assert list(held) == keys
    assert (held["schema"], held["run"]) == ("trainlens.patch/1", "flat")
    assert held["patch"] == {"optimizer.lr": 5e-4}
    assert held["because"] == {"optimizer.lr": "never-learned"}
    assert not any(problem(k, v) for k, v in held["patch"].items())
    (one,) = held["expect"]
    assert (one["metric"], one["split"], one["stat"], one["op"]) == ("loss", "train", "end", "<")
    assert 3.3 < one["value"] < 3.4
    assert Expectation.of(one).mapping == one
    assert load(out) == (replace(Expectation.of(one), label="what was prescribed"),)


def test_a_healthy_run_has_nothing_to_change_and_no_patch(tmp_path):
    out = tmp_path / "patch.json"
    result = run(healthy(tmp_path), "-o", str(out))
    assert result.return_value == 0
    assert "Nothing to change." in result.stdout
    assert f"{out} is not written: there is no setting to change" in result.stderr
    assert not out.exists()


def test_one_rule_only(tmp_path):
    path = flat(tmp_path)
    assert "never-learned" in run(path, "--rule", "never-learned").stdout
    result = run(path, "--rule", "overfitting")
    assert result.return_value == 0
    assert "No finding of overfitting." in result.stdout
    both = run(path, "--rule", "overfitting", "--rule", "never-learned")
    assert both.stdout == run(path, "--rule", "never-learned").stdout
    none = run(path, "--rule", "overfitting", "--rule", "gap-growth")
    assert "No finding of overfitting, gap-growth." in none.stdout
    with pytest.raises(UsageError, match="unknown rule 'nonsense'"):
        run(path, "--rule", "nonsense")


def test_settings_of_no_use_are_told_as_diagnose_tells_them(tmp_path):
    path, config = flat(tmp_path), tmp_path / "trainlens.toml"
    config.write_text('[roles]\nnobody = "loss"\n')
    told = []
    for command in ("prescribe", "diagnose"):
        arguments = [command, path, "--no-cache", "--config", str(config)]
        told.append(CliRunner().invoke(cli, arguments, standalone_mode=False).stderr)
    said = "the role of 'nobody' is unused"
    assert [said in " ".join(text.split()) for text in told] == [True, True]


def test_a_remedy_that_no_number_proves_says_why(tmp_path):
    made = plan(prepared(diagnosed(tmp_path)), "log-damage")
    assert made.unmeasured == {"log-damage": "damage is no value of a series; --strict fails on it"}
    assert document(made)["unmeasured"] == dict(made.unmeasured)
    text = " ".join(prescription(made, "log-damage").split())
    assert "nothing for log-damage: damage is no value of a series" in text


def diagnosed(folder):
    return trainlens.diagnose(trainlens.load_one(torn(folder)))


def test_lost_records_matter_where_that_is_asked_for(tmp_path):
    path = torn(tmp_path)
    assert run(str(path)).return_value == 0
    assert run(str(path), "--strict").return_value == 1


def torn(folder):
    path = folder / "torn.jsonl"
    rows = [json.dumps({"step": i, "loss": 3 / (1.0 + i)}) for i in range(N)]
    rows[200:230] = ["{broken" for _ in range(30)]
    path.write_text("\n".join(rows) + "\n")
    return path


def test_a_patch_is_of_one_run(tmp_path):
    flat(tmp_path, "a")
    flat(tmp_path, "b")
    assert run(str(tmp_path)).stdout.count("never-learned") == 2
    with pytest.raises(UsageError, match="2 runs, and a patch is of one"):
        run(str(tmp_path), "-o", str(tmp_path / "p.json"))


def test_a_run_that_cannot_be_judged_is_no_success(tmp_path):
    path = tmp_path / "short.jsonl"
    path.write_text('{"step": 1, "loss": 2.0}\n')
    result = run(str(path))
    assert result.return_value == 2
    assert "inconclusive" in result.stdout


def test_a_shared_spike_asks_for_the_data_in_each_run(tmp_path):
    for i in range(3):
        loss = 3 / (1.0 + np.arange(N)) ** 0.3 * (1 + 0.01 * RNG.standard_normal(N))
        loss[300:306] *= 3
        log(tmp_path, f"r{i}", loss=loss)
    text = " ".join(run(str(tmp_path)).stdout.split())
    assert text.count("the data, not the optimizer (certain): the same at step 300 in") == 3
    assert text.count("Patch: data.skip_steps: [300, 305]") == 3


# --- putting prescriptions together ---------------------------------------------------------


def fault(rule, severity, patch, confidence=0.9, verify="it is better"):
    return Finding(
        rule,
        Status.FAIL,
        Severity(severity),
        "loss",
        "train",
        5,
        9,
        "It broke.",
        {},
        confidence,
        ("a", "b"),
        ({"text": "change", "patch": patch},),
        verify,
    )


def ready(*faults):
    return Prepared(judged(Diagnosis(Run("r", "r", "x"), faults)), {})


def test_the_gravest_finding_wins_a_conflict_and_it_is_told():
    made = plan(ready(fault("stagnation", "warning", {"optimizer.lr": 5e-4, "sampler": "random"}),
                      fault("divergence", "error", {"optimizer.lr": 1e-4})))  # fmt: skip
    assert made.patch == {"optimizer.lr": 1e-4, "sampler": "random"}
    assert made.because == {"optimizer.lr": "divergence", "sampler": "stagnation"}
    (conflict,) = made.conflicts
    assert (conflict.rule, conflict.other, conflict.other_rule) == (
        "divergence",
        5e-4,
        "stagnation",
    )
    text = " ".join(prescription(made).split())
    assert "Not in the patch: optimizer.lr stays 0.0001, which divergence asks for." in text
    assert "stagnation asked for 0.0005." in text


def test_of_equal_severity_the_surest_wins():
    made = plan(ready(fault("outlier", "warning", {"optimizer.lr": 5e-4}, 0.7),
                      fault("loss-spike", "warning", {"optimizer.lr": 1e-4}, 0.99)))  # fmt: skip
    assert made.patch == {"optimizer.lr": 1e-4}


def test_the_same_value_twice_is_no_conflict():
    made = plan(ready(fault("divergence", "error", {"data.skip_steps": [1, 2]}),
                      fault("loss-spike", "warning", {"data.skip_steps": [1, 2]})))  # fmt: skip
    assert made.conflicts == ()
    assert made.verify == ("it is better",)


def test_notes_change_nothing_unless_they_are_asked_for():
    held = ready(fault("gap-growth", "info", {"optimizer.weight_decay": 0.05}))
    assert plan(held).patch == {}
    assert plan(held, "gap-growth").patch == {"optimizer.weight_decay": 0.05}
    assert document(plan(held))["patch"] == {}
