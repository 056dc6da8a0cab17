"""What trainlens prescribes changes a configuration, and through it the training."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

import trainlens
from tests.test_prescribe_vocabulary import NUMBERS, a_run, cases, findings
from trainlens.cli import cli
from trainlens.errors import NotFound, UsageError
from trainlens.prescribe import Case, advise
from trainlens.prescribe.plan import SCHEMA
from trainlens.prescribe.vocabulary import VOCABULARY
from trainlens.rules import all_rules
from trainlens.rules.base import Finding, Severity, Status
from trainlens.schema import header_line, record_line
from trainlens_torch.config import TrainingConfig, apply_prescription
from trainlens_torch.config import prescription as ours
from trainlens_torch.config.vocabulary import WORDS

VALUES = {
    "number": 0.5, "share": 0.25, "count": 3, "step": 700, "steps": [3, 9], "switch": True,
    "words": ["encoder"],
}  # fmt: skip
SPECIAL = {"lr.scale": 0.5, "batch.scale": 0.5, "resume.before_step": 900,
           "model.norm": "layernorm", "model.activation": "gelu",
           "early_stopping.monitor": "val/f1",
           "loss.largest_weight": 20.0}  # fmt: skip


def value_of(word):
    setting = VOCABULARY[word]
    return SPECIAL.get(word) or VALUES.get(setting.kind) or (setting.choices or ("f1",))[-1]


def opposite(word):
    """A configuration that does not follow the word yet."""
    return {
        "guard.skip_nonfinite": {"guard.skip_nonfinite": False},
        "freeze": {"freezing.stages": {"head": 0.5}},
        "data.reshuffle": {"data.reshuffle": False},
        "resume.full_state": {"resume.full_state": False},
        "resume.scheduler": {"resume.scheduler": False},
        "clip_loss.soft_gate": {"clip_loss.soft_gate": False},
        "sampler": {"data.sampler": "stratified"},
        "model.init": {"model.init": "kaiming"},
    }.get(word, {})


def test_the_version_is_that_of_trainlens():
    assert ours.SCHEMA == SCHEMA


def test_the_vocabulary_names_settings_that_there_are():
    there = {f"TrainingConfig.{name}" for name, *_ in TrainingConfig().items()}
    named = {one.config for one in VOCABULARY.values() if one.config.startswith("TrainingConfig.")}
    assert named
    assert named <= there


def test_every_word_of_the_vocabulary_is_known():
    assert WORDS.keys() == VOCABULARY.keys()


@pytest.mark.parametrize("word", sorted(VOCABULARY))
def test_every_word_changes_a_setting(word):
    config = TrainingConfig().changed(opposite(word))
    patch = {word: value_of(word)}
    if word in ("groups.scale", "groups.layers"):
        patch = {"groups.scale": 5.0, "groups.layers": ["encoder"]}
    applied = apply_prescription(config, patch)
    assert applied.left == ()
    assert applied.changes
    assert applied.config != config
    for change in applied.changes:
        assert config[change.path] == change.before
        assert applied.config[change.path] == change.after != change.before
    again = apply_prescription(applied.config, patch)
    if word not in ("lr.scale", "batch.scale", "groups.scale", "groups.layers"):
        assert again.changes == ()
        assert again.already == (word,)


# --- whatever the rules can say -------------------------------------------------------------------

MORE = {**NUMBERS, "limit": 1e-5, "median": 1e-7, "after": 2.0, "peak_before": 1e-4}


def runs():
    yield from (run for _, run in cases())
    yield a_run(loss=2.0, lr=1e-4, update_ratio__encoder=1e-9, update_ratio__head=1e-3)


def findings_of(rule):
    for finding in findings(rule):
        yield finding
        if finding.evidence:
            yield replace(finding, evidence=MORE)


@pytest.mark.parametrize("rule", sorted(all_rules()))
def test_every_prescription_of_every_rule_applies(rule):
    balanced, seen = TrainingConfig.preset("balanced"), {}
    for run in runs():
        for finding in findings_of(rule):
            for text, patch in advise(Case(run, (finding,)), finding).remedies:
                seen[json.dumps(sorted(patch.items()))] = (text, patch)
    for text, patch in seen.values():
        given = {"rule": rule, "prescriptions": [{"text": text, "patch": patch}]}
        applied = apply_prescription(balanced, given)
        if "groups.scale" in patch and "groups.layers" not in patch:  # a log without layers
            assert [left.key for left in applied.left] == ["groups.scale"]
            continue
        assert applied.left == (), f"{rule}: {text}"
        assert bool(patch) == bool(applied.changes or applied.already), f"{rule}: {text}"


# --- relative words, conflicts, versions ----------------------------------------------------------


def changed(patch, **values):
    config = TrainingConfig().changed({k.replace("__", "."): v for k, v in values.items()})
    return apply_prescription(config, patch)


def test_factors_are_on_the_own_values():
    config, changes = changed({"lr.scale": 0.1}, optimizer__lr=5e-4)
    assert config.optimizer.lr == 5e-5
    assert str(changes[0]) == "optimizer.lr: 0.0005 -> 5e-05 (lr.scale=0.1)"


@pytest.mark.parametrize(
    ("patch", "before", "after"),
    [
        ({"batch.scale": 0.5}, (32, 1), (16, 2)),
        ({"batch.scale": 0.5}, (8, 4), (4, 8)),
        ({"batch.scale": 2.0}, (8, 4), (16, 4)),
        ({"batch.scale": 0.5}, (1, 1), (1, 1)),
        ({"batch.size": 16, "batch.accumulation": 2}, (32, 1), (16, 2)),
        ({"batch.size": 16, "batch.accumulation": 2}, (32, 4), (16, 8)),
        ({"batch.accumulation": 2, "batch.size": 16}, (32, 4), (16, 8)),
        ({"batch.size": 10, "batch.accumulation": 2}, (32, 1), (10, 2)),
        ({"batch.size": 16}, (32, 1), (16, 1)),
        ({"batch.accumulation": 8}, (32, 1), (32, 8)),
    ],
)
def test_a_smaller_batch_keeps_the_update(patch, before, after):
    applied = changed(patch, batch__size=before[0], batch__accumulation=before[1])
    assert applied.left == ()
    assert (applied.config.batch.size, applied.config.batch.accumulation) == after


def test_a_declared_update_stays():
    applied = changed({"batch.size": 8}, batch__effective=32)
    assert (applied.config.batch.size, applied.config.batch.accumulation) == (8, 4)
    refused = changed({"batch.size": 9}, batch__effective=32)
    assert refused.changes == ()
    assert "batch.effective is 32" in refused.left[0].why


def test_prefetching_needs_a_process():
    config = changed({"loader.prefetch": 3}, data__workers=0, data__prefetch=0).config
    assert (config.data.prefetch, config.data.workers) == (3, 1)


def test_layers_get_a_factor_of_their_own():
    patch = {"groups.scale": 5.0, "groups.layers": ["encoder"]}
    config = changed(patch, groups__ratios={"encoder": 0.1}).config
    assert config.groups.ratios == {"encoder": 0.5}
    document = {
        "schema": SCHEMA, "patch": {"lr.scale": 5.0, **patch},
        "because": dict.fromkeys(("lr.scale", *patch), "update-ratio"),
    }  # fmt: skip
    applied = changed(document)
    assert applied.config.optimizer.lr == pytest.approx(1.5e-3)
    assert [left.key for left in applied.left] == ["groups.scale"]
    assert "alternative to lr.scale" in applied.left[0].why
    alone = changed({"groups.scale": 5.0})
    assert "does not say for which layers" in alone.left[0].why


def test_a_finding_is_a_prescription():
    patch = {"groups.scale": 5.0, "groups.layers": ["encoder.0"]}
    finding = Finding("update-ratio", Status.FAIL, Severity.ERROR, "update_ratio/encoder.0",
                      prescriptions=({"text": "x", "patch": patch},))  # fmt: skip
    applied = apply_prescription(TrainingConfig(), finding)
    assert applied.config.groups.ratios == {"encoder.0": 5.0}
    assert applied.changes[0].why == "update-ratio asks for groups.scale=5.0"
    assert apply_prescription(TrainingConfig(), [finding]) == applied
    assert changed({"groups.decoder": 0.5}).config.groups.ratios == {"decoder": 0.5}


def test_of_two_that_differ_the_first_counts():
    first = {"schema": SCHEMA, "patch": {"optimizer.lr": 5e-4}, "because": {"optimizer.lr": "a"}}
    second = {"schema": SCHEMA, "patch": {"lr.scale": 0.1}, "because": {"lr.scale": "b"}}
    applied = apply_prescription(TrainingConfig(), first, second)
    assert applied.config.optimizer.lr == 5e-4
    assert str(applied.left[0]) == (
        "lr.scale=0.1 is left out: optimizer.lr is 0.0005 for a asks for optimizer.lr=0.0005, "
        "which comes first"
    )
    same = apply_prescription(TrainingConfig(), first, first)
    assert same.left == ()
    both = apply_prescription(TrainingConfig(), [{"resume.before_step": 5}, {"checkpoint.step": 9}])
    assert both.config.resume.before_step == 5
    assert "resume.step 9 is not before resume.before_step 5" in both.left[0].why


def test_words_that_go_together_in_either_order():
    for patch in ({"scheduler.total_steps": 900, "scheduler.warmup_steps": 500},
                  {"scheduler.warmup_steps": 500, "scheduler.total_steps": 900}):  # fmt: skip
        applied = changed(patch, schedule__total=100)
        assert (applied.config.schedule.total, applied.config.schedule.warmup) == (900, 500)
        assert applied.left == ()


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        ({"optimiser.lr": 1.0}, "there is no such word; did you mean 'optimizer.lr'?"),
        ({"optimizer.lr": -1}, "optimizer.lr must be above 0 and finite, not -1"),
        ({"lr.scale": "x"}, "lr.scale must be a number, not 'x'"),
        ({"precision": "int4"}, "precision.compute must be one of fp32, tf32, bf16, fp16"),
        ({"freeze": "encoder"}, "freeze must be a list of layers, not 'encoder'"),
        ({"guard.out_of_memory": "cry"}, "guard.out_of_memory must be one of skip, halve"),
        ({"groups.layers": ["a"]}, "it says nothing without groups.scale"),
        ({"scheduler.warmup_steps": 500}, "schedule.warmup 500 is longer than"),
        ({"data.skip_steps": 7}, "data.skip_steps must be a list of a first and a last step"),
    ],
)
def test_what_cannot_be_applied_is_told(patch, why):
    config = TrainingConfig().changed({"schedule.total": 100})
    applied = apply_prescription(config, {**patch, "optimizer.weight_decay": 0.5})
    assert [left.key for left in applied.left] == list(patch)
    assert applied.left[0].why.startswith(why)
    assert applied.config == config.changed({"optimizer.weight_decay": 0.5})


def test_what_has_no_effect_yet_is_told():
    applied = changed({"plateau.patience": 9, "scheduler.rewarm_steps": 100})
    assert applied.notes == (
        "adaptive_lr.patience has no effect yet: adaptive_lr.mode is off",
        "schedule.rewarm_steps has no effect yet: schedule.rewarm_at names no place where the data "
        "change",
    )
    assert "no effect yet" in str(applied)
    assert str(changed({})) == "nothing to change"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"schema": "trainlens.patch/2", "patch": {}}', "the schema 'trainlens.patch/2' is not"),
        ('{"schema": "trainlens.diagnosis/1"}', "the schema 'trainlens.diagnosis/1' is not known"),
        ('{"schema": "trainlens.patch/1", "patch": 3}', "patch and because must map words"),
        ("[1]", "is no patch; write one with `trainlens prescribe`"),
        ("{", "no valid JSON: "),
        ("[" * 100_000, "no valid JSON: "),
    ],
)
def test_what_is_no_patch(tmp_path, text, said):
    path = tmp_path / "patch.json"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        apply_prescription(TrainingConfig(), path)
    assert str(caught.value).startswith(f"{path}: {said}")
    assert "\n" not in str(caught.value)


def test_what_is_nothing_of_the_kind(tmp_path):
    with pytest.raises(NotFound):
        apply_prescription(TrainingConfig(), tmp_path / "none.json")
    with pytest.raises(UsageError, match="3 is no prescription"):
        apply_prescription(TrainingConfig(), 3)
    with pytest.raises(UsageError, match="a TrainingConfig is needed first, not dict"):
        apply_prescription({}, {})


# --- from a log with a fault to another training --------------------------------------------------


def written(folder, config, losses, rates, norms):
    path = folder / "run.jsonl"
    lines = [header_line("run", 1.7e9, config.header())]
    rows = zip(losses, rates, norms, strict=True)
    for step, (loss, rate, norm) in enumerate(rows):
        lines.append(
            record_line(step, 1.7e9 + step, {"loss": loss}, {"lr": rate, "grad_norm": norm})
        )
    path.write_bytes(b"".join(lines))
    return path


def prescribed(folder, log):
    patch = folder / "patch.json"
    result = CliRunner().invoke(
        cli, ["prescribe", str(log), "-o", str(patch), "--no-cache", "--no-config"],
        standalone_mode=False, catch_exceptions=False,
    )  # fmt: skip
    assert patch.exists(), result.output
    return patch


def test_a_flat_loss_gets_a_higher_rate(tmp_path):
    torch = pytest.importorskip("torch")
    config = TrainingConfig().changed({"optimizer.lr": 1e-10, "schedule.kind": "constant"})
    rng = np.random.default_rng(0)
    losses = 3.43 + 0.01 * rng.standard_normal(600)
    log = written(tmp_path, config, losses, np.full(600, 1e-10), np.full(600, 0.5))
    assert any(
        f.rule == "never-learned" for f in trainlens.diagnose(trainlens.load_one(log)).findings
    )
    after, changes = apply_prescription(config, prescribed(tmp_path, log))
    change = next(one for one in changes if one.path == "optimizer.lr")
    assert change.after == 5e-4
    assert change.why == "never-learned asks for optimizer.lr=0.0005"
    model = torch.nn.Linear(1, 1)
    assert after.optimizer_for(model).param_groups[0]["lr"] == 5e-4
    assert config.optimizer_for(model).param_groups[0]["lr"] == 1e-10


def test_a_loss_that_breaks_gets_a_limit_and_a_lower_rate(tmp_path):
    torch = pytest.importorskip("torch")
    config = TrainingConfig().changed({"optimizer.lr": 1e-2, "clipping.norm": None})
    rng = np.random.default_rng(1)
    losses = 3 / (1 + np.arange(600)) ** 0.3 * (1 + 0.01 * rng.standard_normal(600))
    losses[400:] = np.nan
    norms = 1 + 0.05 * rng.standard_normal(600)
    norms[390:400] = np.geomspace(3, 3000, 10)
    log = written(tmp_path, config, losses, np.full(600, 1e-2), norms)
    after, changes = apply_prescription(config, prescribed(tmp_path, log))
    paths = {one.path for one in changes}
    assert {"clipping.norm", "optimizer.lr"} <= paths
    assert after.optimizer.lr < 1e-2
    weight = torch.nn.Parameter(torch.zeros(1))
    weight.grad = torch.tensor([1e6])
    after.guard_for(torch.optim.SGD([weight], 1.0)).step()
    assert abs(weight.item()) == pytest.approx(after.clipping.norm, rel=1e-3)
