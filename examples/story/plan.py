"""What a story is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainlens_torch.config import TrainingConfig

__all__ = ["Check", "Story"]


@dataclass(frozen=True)
class Check:
    """A further command of a story, such as a look at the sampler.

    Parameters
    ----------
    command : tuple of str
        ``("trainlens-torch", "check-sampler", ...)``, ``("trainlens", ...)``, or ``("python",
        "-m", ...)``. It runs in the folder of the report: ``runs/baseline`` and ``runs/treated``
        are the logs, ``baseline.toml`` and ``treated.toml`` the configurations.
    why : str
        What it is to show, one sentence.
    code : int
        Its exit code, if all is as the story says.
    """

    command: tuple[str, ...]
    why: str
    code: int = 0


@dataclass(frozen=True)
class Story:
    """A sick training, and all that is needed to treat it.

    Parameters
    ----------
    title, told : str
        One line, and a paragraph: what the team saw.
    baseline : callable
        ``baseline(short)``, the configuration as the team had it.
    training : str
        ``module:function``. ``function(config, seed, folder)`` trains with a configuration, writes
        one log (or one in each of several formats) into the folder, and returns its path.
    faults : tuple of str
        Rules that must fail with a warning or an error in every run of the baseline.
    notes : tuple of str
        Rules that must fail there as well, be it with a note. Where there are any, the
        prescription is asked for by rule: without that it leaves notes alone.
    metric : str
        ``split/name`` of the measure of quality, on which the verdict is given.
    verdict : str
        What it must be: ``better``, or ``indistinguishable`` where that is the truth.
    targets : Path
        Expectations of the treated runs, beside those that the prescription brings.
    at : tuple of float
        Shares of the training at which both sides are shown in the metric.
    besides : mapping
        Settings that the team changes of its own accord, by dotted name, and why the log could
        not have prescribed them, in `besides_because`.
    besides_because : str
    before, after : tuple of Check
        Commands that run after the diagnosis of the baseline, and after the treated training.
    watched : tuple of str
        Options of ``trainlens monitor``, which then follows the treated runs while they train.
    report : tuple of str
        Further options of ``trainlens report``.
    """

    title: str
    told: str
    baseline: Callable[[bool], TrainingConfig]
    training: str
    faults: tuple[str, ...]
    metric: str
    targets: Path
    notes: tuple[str, ...] = ()
    verdict: str = "better"
    at: tuple[float, ...] = ()
    besides: Mapping[str, Any] = field(default_factory=dict)
    besides_because: str = ""
    before: tuple[Check, ...] = ()
    after: tuple[Check, ...] = ()
    watched: tuple[str, ...] = ()
    report: tuple[str, ...] = ()
