"""Into the folder of a W&B run: files under ``files/``, where W&B keeps what it uploads.

The log itself (``run-ID.wandb``) is not touched: it is the only copy of the run, and W&B has no
call that adds to it once the run has ended. So an upload has to be asked for; docs/attach.md says
how.
"""

from __future__ import annotations

from trainlens.attach.parcel import Parcel
from trainlens.attach.putting import folder_in, put_files
from trainlens.errors import OutputError
from trainlens.readers.base import Source

FORMAT = "wandb"
EXTRA, PACKAGES = "wandb", ("wandb",)


def put(parcel: Parcel, source: Source) -> str:
    """Write the files of a report among those of the run.

    Returns
    -------
    str
        The folder.

    Raises
    ------
    OutputError
        Also where the log lies alone, without the folder that W&B made for its run.
    """
    from trainlens.readers._wandb import beside

    folder = source.path if source.path.is_dir() else source.path.parent
    if not beside.is_run_folder(folder):
        problem = "is not in the folder of its run, so W&B would not find a report there"
        raise OutputError(source.path, problem, "use --attach log")
    target = folder_in(folder / "files")
    put_files(parcel.files, target)
    return str(target)
