"""Prescriptions of trainlens, applied to a configuration."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainlens.errors import NotFound, Unreadable, UsageError
from trainlens_torch.config.config import TrainingConfig
from trainlens_torch.config.setting import shown
from trainlens_torch.config.vocabulary import Asked, Cannot, meaning

__all__ = ["SCHEMA", "Applied", "Change", "Left", "apply_prescription"]

SCHEMA = "trainlens.patch/1"


@dataclass(frozen=True)
class Change:
    """A setting that was changed.

    Parameters
    ----------
    path : str
        Dotted name.
    before, after : Any
    why : str
        Which word of the prescription, and of which rule.
    """

    path: str
    before: Any
    after: Any
    why: str

    def __str__(self) -> str:
        return f"{self.path}: {shown(self.before)} -> {shown(self.after)} ({self.why})"


@dataclass(frozen=True)
class Left:
    """A word of a prescription that was not applied.

    Parameters
    ----------
    key : str
    value : Any
    why : str
    """

    key: str
    value: Any
    why: str

    def __str__(self) -> str:
        return f"{self.key}={shown(self.value)} is left out: {self.why}"


@dataclass(frozen=True)
class Applied:
    """A configuration after a prescription; unpacks into configuration and changes.

    Parameters
    ----------
    config : TrainingConfig
    changes : tuple of Change
    left : tuple of Left
        What could not be applied, and why: unknown words, values out of range, conflicts.
    already : tuple of str
        Words that the configuration follows already.
    notes : tuple of str
        What is set but has no effect yet, with what it takes.
    """

    config: TrainingConfig
    changes: tuple[Change, ...] = ()
    left: tuple[Left, ...] = ()
    already: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Any]:
        return iter((self.config, self.changes))

    def __str__(self) -> str:
        lines = [*map(str, self.changes), *map(str, self.left)]
        lines += [f"{key} is so already" for key in self.already]
        return "\n".join([*lines, *self.notes]) or "nothing to change"


def apply_prescription(config: TrainingConfig, *patches: Any) -> Applied:
    """Change a configuration as trainlens prescribes.

    Words are applied one after the other; what would make the configuration contradict itself is
    left out and told. Where two words want different values of one setting, the first one counts.

    Parameters
    ----------
    config : TrainingConfig
    *patches : mapping, path, Finding, or list of these
        The patch of ``trainlens prescribe RUN -o patch.json``, or its path; a mapping of words to
        values; a finding, or what ``trainlens diagnose --json`` has of it, with its
        ``prescriptions``; one of these: ``{"text": ..., "patch": {...}}``.

    Returns
    -------
    Applied
        ``config, changes = apply_prescription(config, "patch.json")``

    Raises
    ------
    UsageError, SourceError
        No patch, one of an unknown version, or a file that cannot be read.

    Examples
    --------
    >>> config, changes = apply_prescription(TrainingConfig(), {"lr.scale": 0.1})
    >>> print(config.optimizer.lr, "|", changes[0])
    3e-05 | optimizer.lr: 0.0003 -> 3e-05 (lr.scale=0.1)
    """
    if not isinstance(config, TrainingConfig):
        raise UsageError(f"a TrainingConfig is needed first, not {type(config).__name__}")
    applying = _Applying(config)
    waiting = [word for patch in patches for word in _words(patch)]
    # What asks for two settings that only go together is tried again when all else is done.
    for word in [word for word in waiting if not applying.take(word, last=False)]:
        applying.take(word, last=True)
    return applying.done()


@dataclass
class _Applying:
    """One configuration on its way through the words."""

    config: TrainingConfig
    before: TrainingConfig = field(init=False)
    by: dict[str, Asked] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    already: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.before = self.config

    def take(self, word: Asked, *, last: bool) -> bool:
        """Apply a word; False where it may yet become possible."""
        try:
            wanted = meaning(self.before, word)
            self._refuse_conflict(wanted)
            changed = self.config.changed(wanted)
        except Cannot as error:
            self.left.append(Left(word.key, word.value, str(error)))
        except UsageError as error:
            if not last:
                return False
            self.left.append(Left(word.key, word.value, str(error)))
        else:
            self._note(word, wanted, changed)
        return True

    def _refuse_conflict(self, wanted: Mapping[str, Any]) -> None:
        for path, value in wanted.items():
            other = self.by.get(path)
            if other is not None and self.config[path] != value:
                raise Cannot(f"{path} is {shown(self.config[path])} for {other}, which comes first")

    def _note(self, word: Asked, wanted: Mapping[str, Any], changed: TrainingConfig) -> None:
        new = {path for path in wanted if changed[path] != self.config[path]}
        for path in wanted:
            self.by.setdefault(path, word)
            if path in new:
                why = str(word)
                self.changes.append(Change(path, self.config[path], changed[path], why))
        if not new and word.key not in self.already:
            self.already.append(word.key)
        self.config = changed

    def done(self) -> Applied:
        """What came of it."""
        idle = self.config.idle()
        notes = [
            f"{one.path} has no effect yet: {idle[one.path]}"
            for one in self.changes
            if one.path in idle
        ]
        already = [key for key in self.already if key not in {one.key for one in self.left}]
        return Applied(
            self.config, tuple(self.changes), tuple(self.left), tuple(already), tuple(notes)
        )


def _words(patch: Any) -> list[Asked]:
    """The words of anything that holds a patch."""
    if isinstance(patch, str | os.PathLike):
        return _of_document(_read(Path(patch)), os.fspath(patch))
    if isinstance(patch, list | tuple):
        return [word for one in patch for word in _words(one)]
    if hasattr(patch, "prescriptions"):
        rule = getattr(patch, "rule", "")
        return _of_finding({"rule": rule, "prescriptions": patch.prescriptions})
    if isinstance(patch, Mapping):
        return _of_document(patch, "the patch")
    raise UsageError(f"{patch!r} is no prescription; give a patch, its path, or a finding")


def _of_document(document: Mapping[str, Any], where: str) -> list[Asked]:
    if "prescriptions" in document:
        return _of_finding(document)
    schema = document.get("schema", SCHEMA if "patch" in document else None)
    if schema is None:
        return _asked(document, {})
    if schema != SCHEMA:
        raise UsageError(
            f"{where}: the schema {schema!r} is not known, only {SCHEMA}; write the patch with "
            "`trainlens prescribe RUN -o patch.json` of the same version"
        )
    patch, because = document.get("patch"), document.get("because", {})
    if not isinstance(patch, Mapping) or not isinstance(because, Mapping):
        raise UsageError(f"{where}: patch and because must map words to values; write it anew")
    return _asked(patch, because)


def _of_finding(finding: Mapping[str, Any]) -> list[Asked]:
    rule = str(finding.get("rule", ""))
    held: dict[str, Any] = {}
    for one in finding["prescriptions"]:
        for key, value in one.get("patch", {}).items():
            held.setdefault(key, value)
    return _asked(held, dict.fromkeys(held, rule))


def _asked(patch: Mapping[str, Any], because: Mapping[str, Any]) -> list[Asked]:
    return [
        Asked(str(key), value, str(because.get(key, "")), dict(patch), dict(because))
        for key, value in patch.items()
    ]


def _read(path: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFound(path, "there is no such file", "check the path") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise Unreadable(path, f"cannot be read: {reason}", "check the path") from None
    except (ValueError, RecursionError) as error:
        said = " ".join(str(error).split())
        raise UsageError(f"{path}: no valid JSON: {said}; write the patch anew") from None
    if not isinstance(document, Mapping):
        raise UsageError(f"{path}: is no patch; write one with `trainlens prescribe`")
    return document
