"""Advice on runs that do not learn, or no longer."""

from __future__ import annotations

from trainlens.prescribe.base import Advice, advises
from trainlens.prescribe.remedies import scaled_lr
from trainlens.rules.base import Finding
from trainlens.run import Run


@advises("stagnation")
def _stagnation(run: Run, finding: Finding) -> Advice:
    return Advice(
        causes=(
            "the learning rate is too small to move, or has decayed too early",
            "the model has learned what its capacity and data allow",
            "most parameters are frozen or get no gradient",
        ),
        do=(
            scaled_lr(run, 1.5, "raise"),
            (
                "if the schedule lowers it on a plateau, wait longer: patience 50, factor 0.7",
                {"plateau.patience": 50, "plateau.factor": 0.7, "plateau.min_lr": 1e-6},
            ),
            ("if neither moves the loss, stop here and save the compute", {}),
        ),
        verify="the loss falls by more than its noise within the next tenth of the run",
    )


@advises("never-learned")
def _never_learned(run: Run, finding: Finding) -> Advice:
    return Advice(
        causes=(
            "every batch holds one class (a broken sampler)",
            "one class makes up more than 90 % of the data",
            "the learning rate is far too small or too large",
            "the layers that should learn are frozen",
            "no gradient reaches the parameters (detached loss, dead activations)",
        ),
        do=(
            ("count the classes in the first five batches; mix them", {"sampler": "stratified"}),
            ("count the classes of the data set; resample if one is above 90 %", {}),
            scaled_lr(run, 5.0, "raise"),
            ("unfreeze at least one encoder", {"freeze": []}),
            ("log the number of parameters with a gradient and the gradient norm", {}),
        ),
        verify="the loss falls below its first value by more than its noise within ten epochs",
    )


@advises("single-class-batch")
def _single_class_batch(run: Run, finding: Finding) -> Advice:
    return Advice(
        causes=(
            "the sampler walks through the data class by class",
            "the data is sorted by class and not shuffled",
            "one class makes up nearly all of the data",
        ),
        do=(
            ("mix the classes in every batch", {"sampler": "stratified"}),
            ("count the classes in the first five batches before the next run", {}),
        ),
        verify="each of the first five batches holds several classes",
    )
