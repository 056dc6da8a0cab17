"""What a rule is: a function of a `Run` that yields findings.

Adding a rule = adding one file to this folder::

    @rule("loss-spike", severity="warning", requires=("non-finite",))
    def loss_spike(run, *, window=101, threshold=4.0):
        '''Title of the advice.

        The docstring is what `trainlens rules loss-spike` shows.
        '''
        ...
        yield fail("Loss rose ...", series, first_step=1, last_step=2, evidence={...})

The keyword-only defaults are its configuration. Rules compute through `trainlens.stats` and
`trainlens.detect`, judge here, and never import each other. A rule of another profile has the
same name and ``profile="seed"``: it replaces the default one when that profile is chosen.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property, lru_cache
from typing import Any

from trainlens.errors import UsageError
from trainlens.rules._values import like
from trainlens.run import Run, Series


class Status(str, Enum):
    """Outcome of a rule on one series."""

    FAIL = "fail"
    PASS = "pass"
    SKIP = "skip"
    INCONCLUSIVE = "inconclusive"


class Severity(str, Enum):
    """How much a failed rule matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """0 for info, 1 for warning, 2 for error."""
        return ("info", "warning", "error").index(self.value)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule says about one series of a run.

    Parameters
    ----------
    rule : str
        Filled in by `diagnose`.
    status : Status
    severity : Severity
    metric, split : str
        Empty for what concerns the whole run.
    first_step, last_step : int or None
        Where it was seen.
    message : str
        The fact, one to three sentences with numbers, as a colleague would say it.
    evidence : mapping of str to number
        The numbers behind the message.
    confidence : float in [0, 1]
        How sure the rule is that the symptom is real (not of its cause).
    causes : tuple of str
        Hypotheses, the most likely first. Filled in by `trainlens.prescribe`.
    prescriptions : tuple of mapping
        ``{"text": ..., "patch": {...}}``. Filled in by `trainlens.prescribe`.
    verify : str
        How to check that a prescription worked. Filled in by `trainlens.prescribe`.
    suppressed : str
        Why it does not count, where a user knows of it.
    """

    rule: str
    status: Status
    severity: Severity = Severity.INFO
    metric: str = ""
    split: str = ""
    first_step: int | None = None
    last_step: int | None = None
    message: str = ""
    evidence: Mapping[str, float] = field(default_factory=dict)
    confidence: float = 1.0
    causes: tuple[str, ...] = ()
    prescriptions: tuple[Mapping[str, Any], ...] = ()
    verify: str = ""
    suppressed: str = ""

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (
            self.rule, self.status, self.severity, self.metric, self.split, self.first_step,
            self.last_step, self.message, self.evidence, self.confidence, self.causes,
            self.prescriptions, self.verify, self.suppressed,
        )  # fmt: skip

    @property
    def failed(self) -> bool:
        """Whether this is a fault that counts."""
        return self.status is Status.FAIL and not self.suppressed


def _received(
    rule: str, status: Status, severity: Severity, metric: str, split: str, *rest: Any
) -> Finding:
    """A finding that comes from another process, what is the same in many runs held once."""
    first, last, message, evidence, *_ = rest
    if status is Status.SKIP and not evidence and first is None and last is None:
        return _skipped(rule, severity, metric, split, message, rest[4:])
    return Finding(sys.intern(rule), status, severity, sys.intern(metric), sys.intern(split), *rest)


@lru_cache(maxsize=4096)
def _skipped(
    rule: str, severity: Severity, metric: str, split: str, message: str, rest: tuple[Any, ...]
) -> Finding:
    """Why rules had nothing to look at is the same in many runs."""
    return Finding(rule, Status.SKIP, severity, metric, split, None, None, message, {}, *rest)


# Of equally grave faults, those that explain the others.
_EXPLAINING = ("non-finite", "divergence", "overfitting", "never-learned", "stagnation")


def gravity(finding: Finding) -> tuple[int, float, int]:
    """Sorts faults: the gravest, the surest, and among equals what explains the others, first."""
    known = finding.rule in _EXPLAINING
    order = _EXPLAINING.index(finding.rule) if known else len(_EXPLAINING)
    return -finding.severity.rank, -round(finding.confidence, 1), order


def fail(
    message: str,
    series: Series | None = None,
    *,
    first_step: int | None = None,
    last_step: int | None = None,
    evidence: Mapping[str, float] | None = None,
    severity: Severity | str | None = None,
    confidence: float = 1.0,
) -> Finding:
    """A fault. `severity` None takes the rule's own."""
    return Finding(
        "",
        Status.FAIL,
        Severity(severity) if severity is not None else _UNSET,
        series.metric if series else "",
        series.split if series else "",
        first_step,
        last_step,
        message,
        dict(evidence or {}),
        confidence,
    )


def passed(
    message: str, series: Series | None = None, *, evidence: Mapping[str, float] | None = None
) -> Finding:
    """Looked at and found in order; the message says what was seen."""
    return _mild(Status.PASS, message, series, evidence)


def skip(reason: str, series: Series | None = None) -> Finding:
    """Not applicable to this log; the reason says what is missing."""
    return _mild(Status.SKIP, reason, series, None)


def inconclusive(
    reason: str, series: Series | None = None, *, evidence: Mapping[str, float] | None = None
) -> Finding:
    """Looked at, but the data cannot settle it; the reason says what would."""
    return _mild(Status.INCONCLUSIVE, reason, series, evidence)


def _mild(
    status: Status, message: str, series: Series | None, evidence: Mapping[str, float] | None
) -> Finding:
    metric, split = (series.metric, series.split) if series else ("", "")
    return Finding(
        "", status, Severity.INFO, metric, split, message=message, evidence=dict(evidence or {})
    )


# A marker that no finding keeps: `Rule.check` replaces it by the rule's own severity.
_UNSET: Any = None

Check = Callable[..., Iterable[Finding]]
_HOME = __name__.partition(".")[0]


@dataclass(frozen=True)
class Rule:
    """A registered rule."""

    name: str
    severity: Severity
    check: Check
    requires: tuple[str, ...] = ()
    profile: str = "default"
    source: str = ""
    about: str = "learning"

    @property
    def title(self) -> str:
        """First line of the advice."""
        return self.advice.splitlines()[0].rstrip(".")

    @property
    def package(self) -> str:
        """The package that it comes from, empty for the rules of trainlens itself."""
        package = self.check.__module__.partition(".")[0]
        return "" if package == _HOME else package

    @property
    def advice(self) -> str:
        """The advice that users see: the docstring of the check."""
        return inspect.getdoc(self.check) or self.name

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """Thresholds and their defaults."""
        parameters = inspect.signature(self.check).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}

    def __call__(self, run: Run, settings: Mapping[str, Any] | None = None) -> tuple[Finding, ...]:
        """Findings of this rule on a run, at least one.

        Raises
        ------
        UsageError
            A setting that the rule does not have, or a value that it cannot have.
        """
        given = self.settled(settings or {})
        found = tuple(self.complete(f) for f in self.check(run, **given))
        return found or (self.complete(skip("nothing in this log concerns it")),)

    def settled(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Settings as the check takes them.

        Raises
        ------
        UsageError
            See `__call__`.
        """
        return {name: self.setting(name, value) for name, value in settings.items()}

    def setting(self, name: str, value: Any) -> Any:
        """One setting as the check takes it: a whole number where its default is one.

        Raises
        ------
        UsageError
            See `__call__`.
        """
        if name not in self.defaults:
            known = ", ".join(self.defaults) or "none"
            raise UsageError(f"rule {self.name} has no setting {name!r}; it has: {known}")
        try:
            return like(self.defaults[name], value)
        except ValueError as error:
            raise UsageError(f"rule {self.name}: {name}: {error}") from None

    def complete(self, finding: Finding) -> Finding:
        """A finding with the name, and where it has none the severity, of this rule."""
        f = finding  # `dataclasses.replace` takes four times as long, for each of some 20 findings
        return Finding(
            self.name, f.status, f.severity or self.severity, f.metric, f.split, f.first_step,
            f.last_step, f.message, f.evidence, f.confidence, f.causes, f.prescriptions, f.verify,
            f.suppressed,
        )  # fmt: skip


SUBJECTS = {
    "learning": "Does the loss fall?",
    "validation": "Does what is learned hold on other data?",
    "numbers": "Are the values numbers?",
    "optimizer": "Learning rate, gradients, updates",
    "model": "Layers, gates, parameters",
    "data": "Batches, classes, coverage",
    "speed": "Time and memory",
    "log": "Is the log itself whole?",
}
"""What a rule may be about, in the order in which they are listed."""

_registry: dict[tuple[str, str], Rule] = {}


def rule(
    name: str,
    *,
    severity: str = "warning",
    requires: tuple[str, ...] = (),
    profile: str = "default",
    source: str = "",
    about: str = "learning",
) -> Callable[[Check], Check]:
    """Register a check under a rule name.

    Parameters
    ----------
    name : str
        Kebab-case and stable: users select, ignore and suppress by it.
    severity : {"info", "warning", "error"}
        Of its faults, unless the check says otherwise.
    requires : tuple of str
        Rules that are judged first. Where one of them failed as an error, this one is skipped,
        because its verdict would only repeat the damage.
    profile : str
        Profile that this check belongs to.
    source : str
        Where the method or threshold comes from.
    about : str
        What it looks at, one of `SUBJECTS`. A run is called healthy only where a rule about
        learning or validation could judge it.

    Raises
    ------
    ValueError
        It is about something else, or another module has a rule of this name.
    """
    if about not in SUBJECTS:
        raise ValueError(f"rule {name!r} is about {about!r}; there are: {', '.join(SUBJECTS)}")

    def register(check: Check) -> Check:
        key = (profile, name)
        held = _registry.get(key)
        if held is not None and held.check.__module__ != check.__module__:
            raise ValueError(f"two rules are called {name!r} in profile {profile!r}")
        _registry[key] = Rule(name, Severity(severity), check, requires, profile, source, about)
        return check

    return register


def registered() -> Mapping[tuple[str, str], Rule]:
    """Every imported rule by (profile, name)."""
    return _registry


def forget(keys: Iterable[tuple[str, str]]) -> None:
    """Undo what was registered under (profile, name)."""
    for key in keys:
        _registry.pop(key, None)
