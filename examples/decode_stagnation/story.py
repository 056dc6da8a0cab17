"""What the team saw, and what it wants to see.

Three things hold this training where it is, and each is enough. Loss at epoch 150, mean of three
seeds: as it was 0.254; with other first values alone 0.247, with the higher rate alone 0.224, with
more patience alone 0.227; with two of the three 0.140 to 0.219; with all of them 0.125; with a rate
that may rise again 0.092.
"""

from __future__ import annotations

from pathlib import Path

from examples.story import Check, Story
from trainlens_torch.config import TrainingConfig

HERE = Path(__file__).parent
TOLD = """\
A small network in the manner of DECODE looks at noisy camera frames of a few light sources and
says for each pixel how likely a source is there, its photons, its place and depth, and the
background. Its loss stands at 0.25 from the first epoch to the last: what it says of all places is
their mean. A plateau schedule (patience 10, factor 0.5) has lowered the learning rate from 1e-4 to
1e-6 on the way. The configuration is that of the team, in DECODE's own words (`config.json`)."""
BESIDES = """\
One setting is the team's own: the manager of the learning rate may now raise it as well, by half,
where the variance of 20 losses is below 0.001 and they do not fall. How small a variance is a
standstill, in the unit of one's loss, no log can tell; this is the value of DECODE."""


def baseline(short: bool) -> TrainingConfig:
    """The configuration as it was; the short form ends at epoch 150 of 500."""
    config = TrainingConfig.load(HERE / "config.json", tell=lambda line: None)
    return config.changed({"schedule.total": "150ep"}) if short else config


STORY = Story(
    title="A loss that stands still while its learning rate is lowered",
    told=TOLD,
    baseline=baseline,
    training="examples.decode_stagnation.train:train",
    faults=("never-learned", "poor-initialization", "premature-lr-decay"),
    metric="val/rmse_nm",
    targets=HERE / "targets.toml",
    besides={"adaptive_lr.threshold": 0.001},
    besides_because=BESIDES,
    before=(
        Check(
            ("trainlens-torch", "doctor", "--output", "runs"),
            "The machine is not at fault: a training can start here.",
        ),
    ),
    watched=("--interval", "20", "--no-state"),
)
