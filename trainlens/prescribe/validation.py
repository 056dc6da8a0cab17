"""Advice on what validation shows."""

from __future__ import annotations

from trainlens import words
from trainlens.prescribe.base import Advice, advises
from trainlens.rules.base import Finding
from trainlens.run import Run


@advises("overfitting")
def _overfitting(run: Run, finding: Finding) -> Advice:
    if "best_step" not in finding.evidence:
        return _gap_growth(run, finding)  # a wide gap, not a rise: no checkpoint is better
    best = int(finding.evidence["best_step"])
    return Advice(
        causes=(
            "the model memorises the training data",
            "too little regularisation for this amount of data",
            "training went on past the point where it helps",
        ),
        do=(
            (f"use the checkpoint of step {words.step(best)}", {"checkpoint.step": best}),
            (
                "stop early on the validation value, with patience for its noise",
                {"early_stopping.monitor": f"{finding.split}/{finding.metric}"},
            ),
            (
                "regularise: weight decay 0.05, dropout 0.1 after the warmup, more augmentation",
                {"optimizer.weight_decay": 0.05, "dropout.target": 0.1},
            ),
        ),
        verify=f"the next run ends no worse than this one was at step {words.step(best)}",
    )


@advises("gap-growth")
def _gap_growth(run: Run, finding: Finding) -> Advice:
    return Advice(
        causes=(
            "the training data is being memorised, not yet at the cost of validation",
            "training and validation measure different things (dropout, augmentation)",
        ),
        do=(
            ("keep validating; stop when the validation value itself rises", {}),
            ("regularise more if a smaller gap matters", {"optimizer.weight_decay": 0.05}),
        ),
        verify="the gap at the same step is smaller in the next run and validation is no worse",
    )


@advises("validation-jump")
def _validation_jump(run: Run, finding: Finding) -> Advice:
    return Advice(
        causes=(
            "the validation batches differ between evaluations (no fixed seed)",
            "a bad checkpoint of moving statistics (batch norm, weight averaging)",
            "chance, where the validation set is small",
        ),
        do=(
            ("fix the validation order", {"val_seed": 42}),
            ("validate more often for a while, or on more samples", {}),
        ),
        verify="the spread of the next ten evaluations is smaller",
    )
