"""Whether a log is wrapped: gzip, zstd, xz, bzip2, or text in UTF-16; see `_packed`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainlens.readers._look import Look

_MARKS = (
    (b"\x1f\x8b\x08", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"BZh", "bzip2"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_SUFFIXES = (".gz", ".gzip", ".zst", ".zstd", ".xz", ".bz2")


def wrapping(path: Path) -> str:
    """Name of the wrapping of a file by its first bytes, empty for none.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    return wrapping_of(Look(path))


def wrapping_of(look: Look) -> str:
    """As `wrapping`, of a file that others look at, too."""
    if not look.is_file:
        return ""
    start = look.begin(8)
    if start[:4] == b"\xff\xfe\0\0":
        return ""  # UTF-32, or a binary format
    return next((name for mark, name in _MARKS if start.startswith(mark)), "")


@contextmanager
def first_bytes(look: Look) -> Iterator[Look]:
    """What to show to sniffers: the file itself, or the first bytes of its content.

    Parameters
    ----------
    look : Look
    """
    kind = wrapping_of(look)
    if not kind or not can_unfold(kind):
        yield look
        return
    from trainlens.readers._packed import beginning

    with beginning(look.path, kind) as shown:
        yield Look(shown)


@contextmanager
def whole_content(look: Look) -> Iterator[Path]:
    """A path whose content is not wrapped: the file itself, or a passing copy of its content.

    Parameters
    ----------
    look : Look
    """
    kind = wrapping_of(look)
    if not kind:
        yield look.path
        return
    from trainlens.readers._packed import Unfolded

    unfolded = Unfolded(look.path, kind)
    unfolded.update()
    yield unfolded.content


def content_name(path: Path) -> str:
    """Name of the file in a wrapping: without the suffix of a compressor.

    Parameters
    ----------
    path : Path
    """
    return path.stem if path.suffix.lower() in _SUFFIXES and path.stem else path.name


def can_unfold(kind: str) -> bool:
    """Whether a wrapping can be read here: zstd needs an extra."""
    return kind != "zstd" or has_zstd()


def has_zstd() -> bool:
    """Whether zstd can be unfolded: it needs an extra."""
    try:
        import zstandard  # noqa: F401  # only asked for
    except ImportError:
        return False
    return True
