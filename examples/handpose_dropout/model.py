"""From keypoints in a picture to a posed hand."""

from __future__ import annotations

from torch import Tensor, nn

from examples.handpose_dropout.data import MILLIMETRES, Poses
from examples.handpose_dropout.kinematics import ANGLES, JOINTS
from trainlens_torch.metrics import mpjpe

__all__ = ["joint_error", "losses", "network"]

_POINTS = 3 * JOINTS
_OF_ANGLES = 10.0


def network(width: int = 128) -> nn.Sequential:
    """From 2-D keypoints (..., 42) to 3-D positions and joint angles (..., 83)."""
    return nn.Sequential(
        *(nn.Linear(2 * JOINTS, width), nn.ReLU(), nn.Dropout()),
        *(nn.Linear(width, width), nn.ReLU(), nn.Dropout()),
        nn.Linear(width, _POINTS + ANGLES),
    )


def losses(said: Tensor, poses: Poses) -> dict[str, Tensor]:
    """Squared error of positions (square centimetres) and of angles, and the two together."""
    points = 100.0 * nn.functional.mse_loss(said[..., :_POINTS], poses.points)
    theta = nn.functional.mse_loss(said[..., _POINTS:], poses.angles)
    return {"total": points + _OF_ANGLES * theta, "loss_theta": theta}


def joint_error(said: Tensor, poses: Poses) -> Tensor:
    """MPJPE of each pose, shape (...), millimetres."""
    joints = said[..., :_POINTS]
    shape = (*joints.shape[:-1], JOINTS, 3)
    return MILLIMETRES * mpjpe(joints.reshape(shape), poses.points.reshape(shape))
