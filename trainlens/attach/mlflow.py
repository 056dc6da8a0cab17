"""Into a run of MLflow: the report as artifacts, where `MlflowClient` says that those lie.

For places on this machine the client does no more than copy files, one after the other; here they
appear all together or not at all. Other places are refused: nothing is sent anywhere.
"""

from __future__ import annotations

from pathlib import Path

from trainlens.attach.parcel import Parcel
from trainlens.attach.putting import folder_in, put_files
from trainlens.attach.sdk import Sdk
from trainlens.readers.base import Source

FORMAT = "mlflow"
EXTRA, PACKAGES = "mlflow", ("mlflow",)

_sdk = Sdk(
    "trainlens.attach.in_mlflow",
    # Its file store is to be asked for; and it would tell its makers what it is used for.
    {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"},
)

close = _sdk.close
"""Called when no more runs follow."""


def put(parcel: Parcel, source: Source) -> str:
    """Put the files of a report among the artifacts of the run, in a folder of their own.

    Returns
    -------
    str
        Where they lie.

    Raises
    ------
    OutputError
        MLflow does not know the run or keeps its artifacts elsewhere, or they cannot be written.
    MissingExtra
        A database cannot be opened without SQLAlchemy.
    """
    path = source.path.absolute()
    store = path.parent.parent.as_uri() if path.is_dir() else f"sqlite:///{path}"
    run = source.key or path.name
    target = folder_in(Path(_sdk.ask(source.path, store=store, run=run)["place"]))
    put_files(parcel.files, target)
    return f"{target} (artifacts of run {run})"
