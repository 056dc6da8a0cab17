"""Settings in files beside a table: what Lightning and YOLO write into the same folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trainlens.chunk import Notice
from trainlens.readers._yaml import read_yaml

BESIDE = ("opt.yaml", "hyp.yaml", "args.yaml", "hparams.yaml")


class Settings:
    """Reads each settings file beside a table once, as soon as it is there.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self._open = [folder / name for name in BESIDE]

    def take(self) -> tuple[dict[str, Any], list[Notice]]:
        """Settings that were not there before, and notices about them."""
        config: dict[str, Any] = {}
        notices: list[Notice] = []
        for path in list(self._open):
            if not path.is_file():
                continue
            self._open.remove(path)
            found, notice = read_yaml(path)
            config |= found
            if notice is not None:
                notices.append(notice)
        return config, notices
