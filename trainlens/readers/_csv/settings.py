"""Settings in files beside a table: what Lightning and YOLO write into the same folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from trainlens.chunk import Notice
from trainlens.readers._still import Still
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
        self._still = Still(folder)

    def take(self, final: bool, now: float) -> tuple[dict[str, Any], list[Notice]]:
        """Settings that were not there before, and notices about them.

        Parameters
        ----------
        final : bool
        now : float
            Seconds of any clock that never goes back.
        """
        config: dict[str, Any] = {}
        notices: list[Notice] = []
        if final:
            self._still.forget()
        elif not self._open or self._still.same(now):
            return config, notices
        for path in list(self._open):
            if not os.path.isfile(path):
                continue
            self._open.remove(path)
            found, notice = read_yaml(path)
            config |= found
            if notice is not None:
                notices.append(notice)
        return config, notices
