"""What is attached: the report of one run as files in a folder that passes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trainlens.rules import Diagnosis

TAG = "trainlens/report"
PICTURES = "trainlens/sheet"
"""What texts and pictures are called in stores that name them."""


@dataclass(frozen=True)
class Wanted:
    """What a report that is attached is like.

    Parameters
    ----------
    title, command : str
        As of the report itself.
    plots : bool
        Whether a sheet of plots is drawn.
    now : float
        Unix time that the report carries.
    """

    title: str = ""
    command: str = ""
    plots: bool = True
    now: float = 0.0


@dataclass(frozen=True)
class Parcel:
    """The report of one run, in files.

    Parameters
    ----------
    folder : Path
        Holds ``index.html``, ``report.md``, ``report.json`` and the PNGs, and nothing else.
    step : int
        Last step of the run: that at which a store shows the report.
    now : float
        Unix time of the report.
    """

    folder: Path
    step: int
    now: float

    @property
    def text(self) -> str:
        """The report as Markdown."""
        return (self.folder / "report.md").read_text("utf-8")

    @property
    def sheets(self) -> list[Path]:
        """The pictures, in their order."""
        return sorted(self.folder.glob("*.png"))

    @property
    def files(self) -> list[Path]:
        """Everything in it, by name."""
        return sorted(self.folder.iterdir())


def packed(diagnosis: Diagnosis, folder: Path, wanted: Wanted) -> Parcel:
    """Write the report of one run into a folder.

    Parameters
    ----------
    diagnosis : Diagnosis
        Of a run with its points.
    folder : Path
        There, and empty.
    wanted : Wanted

    Returns
    -------
    Parcel

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    from trainlens.render.folder import write_report

    write_report(
        [diagnosis],
        folder,
        formats=("html", "md"),
        plots=wanted.plots and diagnosis.run.points > 0,
        title=wanted.title,
        command=wanted.command,
        now=wanted.now,
    )
    steps = diagnosis.run.steps
    # Stores number from 0; a log whose steps are all below it is shown at their beginning.
    return Parcel(folder, max(0, steps[1]) if steps else 0, wanted.now)
