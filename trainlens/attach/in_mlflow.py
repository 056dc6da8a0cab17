"""Serves the MLflow SDK: ``python -m trainlens.attach.in_mlflow``."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from trainlens.attach.serving import serve


def locate(store: str, run: str) -> dict[str, Any]:
    """Find where the artifacts of a run lie.

    Parameters
    ----------
    store : str
        URI of the store.
    run : str
        Its identifier.

    Returns
    -------
    dict
        ``place``; or ``refused``, or ``missing`` and ``extra`` where there is none.
    """
    if store.startswith("sqlite:") and importlib.util.find_spec("sqlalchemy") is None:
        return {"missing": "attaching to MLflow databases (SQLAlchemy)", "extra": "mlflow"}
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        uri = MlflowClient(tracking_uri=store).get_run(run).info.artifact_uri or ""
    except MlflowException as error:
        return {"refused": f"MLflow: {_line(error)}"}
    place = _local(uri)
    if place is None or not _known_here(place):
        return {"refused": f"its artifacts belong to {uri}, which is not on this machine"}
    return {"place": str(place)}


def _known_here(place: Path) -> bool:
    """Whether the folder above the store of the artifacts is there.

    Artifacts lie in STORE/EXPERIMENT/RUN/artifacts, of which MLflow makes what is missing.
    """
    return place.is_absolute() and [*place.parents][:4][-1].is_dir()


def _local(uri: str) -> Path | None:
    """The path that a URI of artifacts stands for, None where it is not on this machine."""
    parts = urlsplit(uri)
    if parts.scheme == "" and uri:
        return Path(uri)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Path(url2pathname(parts.path))
    return None


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


if __name__ == "__main__":
    serve(locate)
