"""What a reader is: a module of this folder with a format, a sniffer, a finder and a reader.

Adding a format = adding one file here that has, at module level:

``FORMAT : str``
    Name of the format, as shown to users.
``sniff(path) -> float``
    Confidence in [0, 1] that `path` (a file, or a folder for formats that own whole folders)
    is of this format, by content, reading at most `HEAD` bytes of a file. Never raises on
    odd content; an OSError may pass. `path` is a Path or a `Look`: what one sniffer had to find
    out about a path (its bytes, the entries of a folder) the next ones know; so a sniffer begins
    with ``look = Look.at(path)`` and asks that.
``find(path) -> list[Source]``
    The runs in a path that `sniff` accepted. One for most formats, one a run for a repository.
``open_source(source) -> Reader``
    A reader positioned at the beginning.
``SUREST : float`` (optional, default 1)
    Highest confidence that `sniff` ever gives. It is not asked where another is as sure.
``FOLDERS : bool`` (optional, default False)
    True where `sniff` judges folders as well: `find` then gives the runs of a folder.
``files(source) -> list[Path]`` (required with `FOLDERS`)
    Everything that belongs to a source: files, and folders that belong to it whole. The search
    gives none of it to another reader; the rest of the folder is searched on. A source whose
    files all belong to an earlier one is dropped (the event files of a CatBoost run).
``LINES : bool`` (optional, default False)
    True where files of this format, one behind the other, are a file of this format: the parts of
    a log that is rotated are then read as one.
``inputs(source) -> Inputs`` (optional)
    Every file that a poll may look into, there or not. What was read of a run is kept only where
    its format says this.

These modules are imported all together, for whatever file: so they import no decoder. What reads
a format stands in its sub-package (``_wandb/``; the class that polls in ``reader.py``, the careful
half of sniffing in ``sniff.py``), and a function imports of it what it needs, where it needs it.
A sniffer does so only behind a quick look (a mark, a name, a first byte) that most other files do
not get past.

Readers never import each other and never write, lock, create or touch anything beneath the
path of a run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from trainlens.readers._look import HEAD, Look
from trainlens.run import Chunk

__all__ = ["HEAD", "Look", "Reader", "Source", "head"]


@dataclass(frozen=True)
class Source:
    """A run on disk that has not been read yet.

    Parameters
    ----------
    format : str
        `FORMAT` of the reader that claimed it.
    path : Path
        The file or folder that the user would name.
    key : str
        Which run within the path (an AIM run hash), empty where the path is the run.
    name : str
        Name proposed by the format; empty = derive it from the path.
    split : str
        Split of everything in it whose name does not say one (`validation/` of Keras); empty =
        unknown.
    parts : tuple of Source
        Where one run was written in several places (event files and a CSV file of one Lightning
        version), those places, the most telling first. Of a log that was rotated its files,
        all of its own format, the oldest first.
    beside : tuple of str
        Names of files and folders beside it that hold the same run, as its own header says.
    copies : tuple of Source
        Those of them that were found.
    """

    format: str
    path: Path
    key: str = ""
    name: str = ""
    split: str = ""
    parts: tuple[Source, ...] = ()
    beside: tuple[str, ...] = field(default=(), compare=False)
    copies: tuple[Source, ...] = field(default=(), compare=False)

    @property
    def places(self) -> tuple[Source, ...]:
        """Where all of it lies: its parts and theirs, itself where it has none."""
        return tuple(p for part in self.parts for p in part.places) or (self,)


@dataclass(frozen=True)
class Inputs:
    """What reading a run looks into.

    Parameters
    ----------
    files : tuple of Path
        Files, there or not, and folders of which what lies in them counts.
    grows : bool
        The last of them only grows at its end, and all that a reader remembers is in its own
        fields: reading can go on where it ended.
    """

    files: tuple[Path, ...]
    grows: bool = False


class Reader(Protocol):
    """An open run: offline reading is one poll, monitoring is the same poll in a loop."""

    def poll(self, final: bool = False) -> Chunk:
        """Everything that is new since the last poll, each record exactly once.

        Parameters
        ----------
        final : bool
            False: a record that is not complete yet waits for the next poll. True: nothing
            more will come; an incomplete last record is reported as a `Notice`.
        """
        ...


def head(path: Path, size: int = HEAD) -> bytes:
    """First bytes of a file.

    Parameters
    ----------
    path : Path
    size : int
        Most bytes to read.
    """
    with open(path, "rb") as file:
        return file.read(size)
