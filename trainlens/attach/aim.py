"""Into a run of an AIM repository: the report as Text and its sheets as Images, through the SDK.

The run is opened again by its hash, without anything that AIM would track of this process. Its
metrics, parameters, times and state stay as they are. A run that is being written is refused.
"""

from __future__ import annotations

from trainlens.attach.parcel import PICTURES, TAG, Parcel
from trainlens.attach.sdk import Sdk
from trainlens.readers.base import Source

FORMAT = "aim"
EXTRA, PACKAGES = "aim", ("aim",)

_sdk = Sdk("trainlens.attach.in_aim", {"AIM_ANALYTICS_DISABLED": "1"})

close = _sdk.close
"""Called when no more runs follow."""


def put(parcel: Parcel, source: Source) -> str:
    """Have the SDK track text and images at the last step of the run.

    A report at the same step replaces an earlier one.

    Returns
    -------
    str
        The run, and what is in it now.

    Raises
    ------
    OutputError
        The run is being written, or the SDK cannot write it.
    """
    _sdk.ask(
        source.path,
        repo=str(source.path.absolute()),
        run=source.key,
        text=parcel.text,
        images=[str(path) for path in parcel.sheets],
        names=[TAG, PICTURES],
        step=parcel.step,
    )
    images = f", images {PICTURES}" if parcel.sheets else ""
    return f"{source.path}, run {source.key} (text {TAG}{images})"
