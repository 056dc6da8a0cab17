"""Causes are ranked by what the log says: what it proves comes first, what it excludes last."""

import numpy as np
import pytest

from tests.cause_runs import N, a_run, flat, found, noise, texts, weighed
from trainlens.prescribe import Hypothesis
from trainlens.prescribe.base import EXCLUDED, PROVEN, Advice

# --- the mechanism --------------------------------------------------------------------------


def test_hypotheses_are_ranked_by_weight_and_keep_their_order_among_equals():
    given = (Hypothesis("b", 0.4), "open", Hypothesis("a", 0.9, "it says so"), Hypothesis("z", 0))
    assert Advice(given).told == ("a: it says so", "b", "open", "z")


def test_what_is_proven_alone_is_treated_and_what_is_excluded_never():
    sure = Hypothesis("a", PROVEN, do=(("do a", {"freeze": []}),))
    open_ = Hypothesis("b", 0.5, do=(("do b", {"sampler": "stratified"}),))
    against = Hypothesis("c", EXCLUDED, do=(("do c", {"val_seed": 1}),))
    assert [t for t, _ in Advice((open_, sure, against)).remedies] == ["do a"]
    assert [t for t, _ in Advice((open_, against)).remedies] == ["do b"]


def test_a_setting_is_prescribed_once():
    lower, lower_still = ("x", {"optimizer.lr": 1e-3}), ("y", {"optimizer.lr": 1e-4})
    assert Advice((), (lower, lower_still)).remedies == (lower,)


# --- a loss flat from the first step --------------------------------------------------------


def test_without_evidence_the_order_is_that_of_the_checklist():
    told = found(a_run(loss=flat()), "never-learned").causes
    words = ["sampler", "90 %", "learning rate", "frozen", "gradient"]
    places = [next(i for i, c in enumerate(told) if w in c) for w in words]
    assert places == sorted(places)


def test_a_tiny_learning_rate_is_named_with_its_value_and_what_is_excluded_sinks():
    run = a_run(loss=flat(), lr=np.full(N, 1e-10), batch_classes=np.full(N, 6.0),
                grad_norm=5.6 + noise())  # fmt: skip
    finding = found(run, "never-learned")
    assert finding.causes[0] == (
        "the learning rate is too small: its peak is 1e−10, and the loss moved by 0.0 %"
    )
    assert finding.causes[-2:] == (
        "not the sampler: each batch holds 6 classes",
        "not the flow of gradients: the gradient norm is 5.6",
    )
    assert finding.prescriptions[0]["patch"] == {"optimizer.lr": 5e-4}


def test_batch_normalisation_and_an_untried_rate_are_seen_to_beside_the_sampler():
    config = {"model": {"norm": "batchnorm"}, "clipping": {"norm": 1.0}, "total_steps": 1440}
    run = a_run(config, loss=flat(), batch_classes=np.ones(N), lr=np.full(N, 1e-4))
    patch = {k: v for p in found(run, "never-learned").prescriptions for k, v in p["patch"].items()}
    assert patch == {
        "sampler": "stratified", "model.norm": "layernorm", "scheduler.kind": "cosine",
        "scheduler.warmup_steps": 240, "scheduler.warmup_start": 0.001, "scheduler.floor": 0.01,
    }  # fmt: skip
    warm = np.minimum(np.arange(1, N + 1) / 100, 1) * 1e-4
    run = a_run({"norm": "layernorm"}, loss=flat(), batch_classes=np.ones(N), lr=warm)
    assert [p["patch"] for p in found(run, "never-learned").prescriptions] == [
        {"sampler": "stratified"}
    ]


def test_the_sampler_comes_before_the_count_of_the_classes():
    told = found(a_run(loss=flat(), batch_classes=np.ones(N)), "single-class-batch").prescriptions
    assert told[0]["patch"] == {"sampler": "stratified"}


def test_batches_of_one_class_say_nothing_of_the_balance():
    run = a_run(loss=flat(), batch_classes=np.ones(N), majority_share=np.ones(N))
    assert not any("out of balance" in c for c in found(run, "never-learned").causes)


def test_a_few_unchanged_parameters_are_no_frozen_model():
    look = (np.arange(0, N, 100), np.ones(6))
    series = {"unchanged_parameters": look, "params_with_grad": (look[0], np.full(6, 28.0))}
    run = a_run(loss=flat(), params_total=(look[0], np.full(6, 28.0)), **series)
    assert not any("are frozen" in c for c in found(run, "never-learned").causes)


def test_single_class_batches_are_proof():
    finding = found(a_run(loss=flat(), batch_classes=np.ones(N)), "never-learned")
    assert finding.causes[0] == "a broken sampler: every batch holds one class"
    assert [p["patch"] for p in finding.prescriptions] == [{"sampler": "stratified"}]


@pytest.mark.parametrize(
    ("series", "cause"),
    [
        ({"majority_share": np.full(N, 0.95)}, "the classes are out of balance"),
        ({"class_count__a": np.full(N, 550.0), "class_count__b": np.full(N, 10.0)},
         "the classes are out of balance"),
        ({"params_with_grad": np.zeros(N)}, "every layer is frozen"),
        ({"grad_norm": np.zeros(N)}, "no gradient reaches the parameters"),
        ({"grad_norm": np.full(N, 1e-12)}, "the gradient vanishes"),
        ({"lr": np.zeros(N)}, "the learning rate is 0"),
        ({"lr": np.full(N, 3.0)}, "the learning rate is too large"),
    ],
)  # fmt: skip
def test_what_the_log_proves_rises_to_the_top(series, cause):
    advice = weighed(a_run(loss=flat(), **series), "never-learned", 0, N - 1)
    assert texts(advice)[0] == cause
    assert advice.ranked[0].because


@pytest.mark.parametrize(
    ("series", "cause"),
    [
        ({"batch_classes": np.full(N, 6.0)}, "not the sampler"),
        ({"majority_share": np.full(N, 0.3)}, "not the balance of the classes"),
        ({"params_with_grad": np.full(N, 93.0)}, "not frozen parameters"),
        ({"grad_norm": np.full(N, 5.6)}, "not the flow of gradients"),
    ],
)
def test_what_the_log_excludes_sinks_to_the_end_and_says_why(series, cause):
    advice = weighed(a_run(loss=flat(), **series), "never-learned", 0, N - 1)
    assert texts(advice)[-1] == cause
    assert advice.ranked[-1].because


def test_an_explosion_speaks_for_a_learning_rate_that_is_too_large():
    loss = np.concatenate([[3.54, 12.34], np.full(N - 2, 12.0)])
    advice = weighed(a_run(loss=loss, lr=np.full(N, 1e-4)), "never-learned", 0, N - 1)
    assert texts(advice)[0] == "the learning rate is too large"
    assert ("lower the peak learning rate from 0.0001 to 1e−5", {"optimizer.lr": 1e-5}) in (
        advice.remedies
    )


def test_a_level_of_guessing_puts_the_labels_among_the_causes():
    finding = found(a_run(loss=flat(np.log(10)), lr=np.full(N, 1e-3)), "never-learned")
    assert any("ln" not in c and "guessing among 10 classes" in c for c in finding.causes)


def test_a_frozen_backbone_in_the_configuration_is_quoted():
    run = a_run({"model": {"freeze_backbone": True}}, loss=flat(), lr=np.full(N, 1e-3))
    told = found(run, "never-learned").causes
    assert "the configuration says model.freeze_backbone: true" in told[0]


def test_first_values_that_let_nothing_through_come_first_and_bring_all_of_a_fresh_start():
    shrinks = {f"activation_std/act{k}": np.full(N, 10.0 ** (-2 * k)) for k in (1, 2, 3, 4)}
    run = a_run(loss=flat(), lr=np.full(N, 1e-4), **shrinks)
    finding = found(run, "never-learned")
    assert finding.causes[0].startswith("the first values of the weights let too little through: ")
    assert "activations shrink on their way through the new model" in finding.causes[0]
    patches = [p["patch"] for p in finding.prescriptions]
    assert {"model.init": "kaiming"} in patches
    assert {"gradient.clip_norm": 1.0} in patches
    clipped = a_run({"max_grad_norm": 0.5}, loss=flat(), lr=np.full(N, 1e-4), **shrinks)
    patches = [p["patch"] for p in found(clipped, "never-learned").prescriptions]
    assert {"model.init": "kaiming"} in patches
    assert {"gradient.clip_norm": 1.0} not in patches


def test_a_rate_that_was_lowered_before_anything_was_learned_is_a_cause():
    lowered = 1e-4 * 0.5 ** np.minimum(np.arange(N) // 20, 7)
    told = {"schedules": {"lr": {"kind": "constant", "base": 1e-4, "times": "lr_factor"}}}
    for config, words in ((told, "on a plateau, wait longer"), ({}, "if the schedule lowers it")):
        finding = found(a_run(config, loss=flat(), lr=lowered), "never-learned")
        assert any("lowered before anything was learned" in c for c in finding.causes)
        (text,) = (p["text"] for p in finding.prescriptions if "plateau.patience" in p["patch"])
        assert text.startswith(words)
    late = np.where(np.arange(N) < 0.7 * N, 1e-4, 1e-6)
    finding = found(a_run(loss=flat(), lr=late), "never-learned")
    assert not any("before anything was learned" in c for c in finding.causes)


@pytest.mark.parametrize("measure", ["val/rmse_nm", "val/mpjpe", "val/mae", "val/psnr"])
def test_where_quality_is_a_distance_nobody_is_sent_to_the_classes(measure):
    finding = found(a_run(loss=flat(), **{measure: 40 + noise()}), "never-learned")
    assert not any("sampler" in p["patch"] for p in finding.prescriptions)
    name = measure.removeprefix("val/")
    said = f"not the sampler, nor the balance of classes: val {name} measures a distance"
    assert said in finding.causes


@pytest.mark.parametrize(
    "more", [{"val/accuracy": np.full(N, 0.2)}, {"batch_classes": np.full(N, 6.0)}, {}]
)
def test_where_there_are_classes_they_are_looked_at(more):
    finding = found(a_run(loss=flat(), **{"val/mae": 40 + noise()}, **more), "never-learned")
    assert any("nor the balance" in c for c in finding.causes) is not bool(more)


@pytest.mark.parametrize(
    ("levels", "op", "value"),
    [((1e-2, 1e-4, 1e-6, 1e-8), ">", 1e-3), ((1.0, 30.0, 900.0, 27000.0), "<", 10.0)],
)
def test_better_first_values_may_move_all_layers(levels, op, value):
    stds = {f"activation_std/act{k}": np.full(N, x) for k, x in enumerate(levels)}
    ends = {"first": levels[0], "last": levels[-1]}
    run = a_run(loss=flat(), **stds)
    advice = weighed(run, "poor-initialization", metric="activation_std/act0", evidence=ends)
    (one,) = advice.expect
    assert (one.metric, one.stat, one.op) == ("activation-std/*", "first", op)
    assert one.value == pytest.approx(value)


# --- stagnation -----------------------------------------------------------------------------


def stuck(n=N, at=200, level=None):
    held = 3 / (1 + np.minimum(np.arange(n), at)) ** 0.3 * (1 + noise(3, n, 0.003))
    return held if level is None else np.maximum(held, level * (1 + noise(4, n, 0.001)))


def test_a_premature_decay_names_the_step():
    lr = np.where(np.arange(N) < 190, 1e-3, 1e-5)
    finding = found(a_run({"max_steps": 1000}, loss=stuck(), lr=lr), "stagnation")
    assert finding.causes[0].startswith("the learning rate decayed too early: it fell below 10 %")
    assert "at step 190" in finding.causes[0]
    patches = [p["patch"] for p in finding.prescriptions]
    assert {"scheduler.total_steps": 1000} in patches or {"scheduler.total_steps": 599} in patches
    assert {"plateau.patience": 50, "plateau.factor": 0.7, "plateau.min_lr": 1e-6} in patches


def test_a_learning_rate_too_small_since_the_start_is_raised_fivefold():
    loss = 4.255 + 0.005 * np.exp(-np.arange(N) / 50) + noise(5, scale=0.0005)
    advice = weighed(a_run(loss=loss, lr=np.full(N, 1e-4)), "stagnation", 200, N - 1)
    assert texts(advice)[0] == "the learning rate is too small since the start"
    patches = [patch for _, patch in advice.remedies]
    assert patches[0] == {"optimizer.lr": 5e-4}
    assert {"plateau.patience": 50, "plateau.factor": 0.7, "plateau.min_lr": 1e-6} in patches


def test_a_constant_learning_rate_after_much_progress_is_too_large_to_settle():
    advice = weighed(a_run(loss=stuck(), lr=np.full(N, 1e-3)), "stagnation", 200, N - 1)
    assert texts(advice)[0] == "the learning rate is too large to settle"


def test_clipping_every_step_is_seen():
    run = a_run({"optimizer": {"max_grad_norm": 1.0}}, loss=stuck(), grad_norm=30 + noise())
    advice = weighed(run, "stagnation", 200, N - 1)
    assert advice.ranked[0].told == (
        "clipping shortens every step: the gradient norm is 30 and optimizer.max_grad_norm is 1: "
        "100 % of the steps are clipped"
    )
    assert advice.remedies[0][1] == {"gradient.clip_norm": 45.0}


def test_a_level_at_chance_is_named():
    loss = np.maximum(4 / (1 + np.arange(N)) ** 0.2, np.log(10))
    advice = weighed(a_run(loss=loss), "stagnation", 200, N - 1)
    assert texts(advice)[0] == "the model gives the same answer to every input"


def test_frozen_parameters_are_proof_in_a_stagnation_too():
    run = a_run(loss=stuck(), params_with_grad=np.zeros(N))
    assert texts(weighed(run, "stagnation", 200, N - 1))[0] == "every layer is frozen"
