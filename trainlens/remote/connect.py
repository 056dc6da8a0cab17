"""From a URL to the filesystem behind it, through fsspec; what is missing is said in one line."""

from __future__ import annotations

from typing import Any

from trainlens.errors import MissingExtra, NotFound, Unreadable
from trainlens.remote.calls import Calls, failures, reason
from trainlens.remote.url import public, scheme, secrets

EXTRAS = {
    "s3": "s3",
    "s3a": "s3",
    "gs": "gcs",
    "gcs": "gcs",
    "sftp": "ssh",
    "ssh": "ssh",
    "http": "http",
    "https": "http",
}
"""The extra that brings the backend of a scheme; other backends are named by fsspec."""


def connect(url: str, calls: Calls) -> tuple[Any, str]:
    """The filesystem of a URL, and the path there.

    Parameters
    ----------
    url : str
    calls : Calls

    Raises
    ------
    MissingExtra
        fsspec, or the backend of this scheme, is not installed.
    Unreadable
        The scheme is unknown, or the host does not let us in.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise MissingExtra(f"reading {public(url)}", EXTRAS.get(scheme(url), "remote")) from None
    try:
        backend(scheme(url))
    except ImportError as error:
        raise _no_backend(url, error) from None
    except ValueError:
        problem = f"nothing reads the scheme {scheme(url)}://"
        raise Unreadable(public(url), problem, "s3, gs, sftp, https, ... are known") from None
    try:
        fs, path = calls.once(url_to_fs, url)
    except ImportError as error:
        raise _no_backend(url, error) from None
    except failures() as error:
        raise refused(url, error) from None
    return fs, path


def backend(protocol: str) -> Any:
    """The class of a filesystem.

    Raises
    ------
    ImportError
        It is not installed.
    ValueError
        There is none.
    """
    from fsspec.registry import get_filesystem_class

    return get_filesystem_class(protocol)


def refused(url: str, error: BaseException) -> Unreadable | NotFound:
    """What the user is told where nothing at all can be had from a URL.

    Parameters
    ----------
    url : str
    error : exception
        What the filesystem raised.
    """
    cause = error.__cause__
    if isinstance(error, FileNotFoundError) and isinstance(cause, OSError):
        # fsspec's web filesystem says "not found" of a host that does not answer, too.
        error = cause
    text = without_secrets(url, reason(error))
    kind = type(error).__name__
    if isinstance(error, FileNotFoundError):
        return NotFound(public(url), "no such object, folder or bucket", "check the URL")
    if isinstance(error, PermissionError) or "Credential" in kind or "Auth" in kind:
        return Unreadable(public(url), f"access is refused ({text})", "check the credentials")
    if isinstance(error, ValueError):
        return Unreadable(public(url), text, "check the URL")
    return Unreadable(public(url), f"cannot be reached ({text})", "check the host and the network")


def without_secrets(url: str, text: str) -> str:
    """A message of a library without the secret parts of a URL."""
    for secret in secrets(url):
        text = text.replace(secret, "***")
    return text


def _no_backend(url: str, error: ImportError) -> MissingExtra | Unreadable:
    extra = EXTRAS.get(scheme(url))
    if extra:
        return MissingExtra(f"reading {public(url)}", extra)
    return Unreadable(public(url), "its backend is not installed", reason(error))
