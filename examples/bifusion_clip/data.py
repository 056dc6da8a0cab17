"""Recordings of rooms, some of them with a calibration that is wrong.

A point is looked up in the image where the calibration projects it. In a few recordings the
calibration has the camera look elsewhere: most points then miss the image, and the others get
the pixel of something else.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset

from examples.bifusion_clip.rooms import Camera, looks, room

__all__ = ["Batch", "Recording", "Recordings", "Scene", "held_out", "record", "recordings"]

Scene = tuple[Tensor, Tensor, Tensor, Tensor]
"""Geometry, pixels, valid, labels of the points of a scene; of several, as a batch, stacked."""
Batch = Scene


@dataclass(frozen=True)
class Recording(Dataset[Scene]):
    """Scenes before one camera.

    Parameters
    ----------
    geometry : Tensor of shape (scenes, points, GEOMETRY)
    pixels : Tensor of shape (scenes, points, PIXEL)
        0 where a point has none.
    valid : Tensor of bool, shape (scenes, points)
        Points that project into the image.
    labels : Tensor of int64, shape (scenes, points)
    """

    geometry: Tensor
    pixels: Tensor
    valid: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> Scene:
        return self.geometry[index], self.pixels[index], self.valid[index], self.labels[index]


def record(number: int, scenes: int, *, wrong: bool = False) -> Recording:
    """A recording; the same number gives the same one.

    Parameters
    ----------
    number : int
    scenes : int
    wrong : bool
        Whether the calibration has the camera turned by 44 to 50 degrees.
    """
    generator = torch.Generator().manual_seed(number)
    angle, focal, turn, side = torch.rand(4, generator=generator).tolist()
    camera = Camera(2 * math.pi * angle, 2.0 + 0.2 * focal)
    off = math.radians(44 + 6 * turn) * (1 if side < 0.5 else -1)
    calibrated = replace(camera, turned=off) if wrong else camera
    rooms = room(scenes, generator)
    at, _ = calibrated.project(rooms.points)
    valid = (at.abs() <= 1).all(-1)
    pixels = looks(camera, rooms, at, generator) * valid.unsqueeze(-1)
    return Recording(rooms.geometry, pixels, valid, rooms.labels)


def recordings() -> list[Recording]:
    """The data for training: 20 recordings of 256 scenes; the calibration of three is wrong."""
    return [record(number, 256, wrong=number % 7 == 3) for number in range(20)]


def held_out() -> Recording:
    """Scenes of 26 other recordings for validation, four of them with a wrong calibration."""
    some = [record(number, 10, wrong=number % 7 == 3) for number in range(100, 126)]
    return Recording(
        *(
            torch.cat([getattr(one, name) for one in some])
            for name in ("geometry", "pixels", "valid", "labels")
        )
    )


class Recordings(IterableDataset[Scene]):
    """The scenes of one recording after the other; in each epoch in another order, without end.

    Parameters
    ----------
    recordings : sequence of Recording
    seed : int
    """

    def __init__(self, recordings: Sequence[Recording], seed: int) -> None:
        self.recordings, self.seed = recordings, seed

    def __iter__(self) -> Iterator[Scene]:
        generator = torch.Generator().manual_seed(self.seed)
        while True:
            for index in torch.randperm(len(self.recordings), generator=generator).tolist():
                recording = self.recordings[index]
                yield from (recording[scene] for scene in range(len(recording)))
