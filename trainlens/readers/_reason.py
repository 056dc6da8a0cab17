"""Why a file is no training log, in words that say what to do."""

from __future__ import annotations

import re
from pathlib import Path

from trainlens.readers._wrapping import can_unfold, content_name, wrapping_of
from trainlens.readers.base import Look
from trainlens.run import Notice

_LFS = b"version https://git-lfs.github.com/spec/"
# Names by which a user would expect a run; elsewhere an unclaimed file is not worth a word.
_LOG_SUFFIXES = (".jsonl", ".ndjson", ".wandb")
_JSON = re.compile(rb'\s*[\[{]\s*(["{\[\]}]|$)')
_SUFFIXES = {
    ".yaml .yml .toml .ini .cfg .conf": "holds settings, no points of a training",
    ".pt .pth .ckpt .safetensors .h5 .onnx .pkl .bin": "is a model or checkpoint, no log",
    ".npy .npz .mat": "holds arrays, not the evaluations of a training",
    ".png .jpg .jpeg .svg .gif .pdf .mp4 .html": "is a picture or page, no log",
    ".py .pyc .c .cc .cpp .cu .h .js .ts .sh .ipynb .md .rst": "is code or a document, no log",
    ".zip .tar .tgz": "is an archive; unpack it",
}
"""What files of other kinds are, where nothing else is known about them."""


def explain(path: Path | Look, *, asked: bool) -> Notice:
    """Say why no reader claimed a file.

    Parameters
    ----------
    path : Path or Look
    asked : bool
        True: the user named this file, so there is always an answer. False: it was met in a
        search; a file that nobody would take for a log gives a notice with an empty `kind`.
    """
    look = Look.at(path)
    path = look.path
    try:
        if look.mode and not look.is_file:
            return Notice("not-a-log" if asked else "", str(path), "is not a regular file")
        start = look.begin(4096)
    except OSError as error:
        return Notice("unreadable", str(path), f"cannot be read: {error.strerror}", None)
    name = content_name(path)
    looks_like_log = "tfevents" in name or name.endswith(_LOG_SUFFIXES)
    if start.startswith(_LFS):
        return Notice(
            "lfs-pointer",
            str(path),
            "is a git-LFS pointer, not the log itself; run `git lfs pull` to fetch it",
            None,
        )
    kind, message = _content(start, look)
    told = asked or looks_like_log or kind == "needs-extra"
    return Notice(kind if told else "", str(path), message)


def _content(start: bytes, look: Look) -> tuple[str, str]:
    if not start:
        return "empty", "is empty"
    if kind := wrapping_of(look):
        if not can_unfold(kind):
            return "needs-extra", "is compressed with zstd; pip install 'trainlens[zstd]' reads it"
        return "not-a-log", f"is {kind}, but its content is no training log that trainlens reads"
    if "tfevents" in look.name:
        return "not-a-log", "is named like an event file but no intact record is in it"
    return "not-a-log", _by_suffix(look.suffix.lower()) or _by_bytes(start)


def _by_suffix(suffix: str) -> str:
    return next((said for ends, said in _SUFFIXES.items() if suffix in ends.split()), "")


def _by_bytes(start: bytes) -> str:
    if b"\0" in start:
        return "is a binary file of no format that trainlens reads"
    if _JSON.match(start):
        return "is JSON without records of a training (a step or an epoch, and numbers)"
    first = start.partition(b"\n")[0]
    if b"," in first or b"\t" in first:
        return "is a table or text without a step or epoch and a metric that is known"
    return "is text in which no line says at which step or epoch a number stands"
