"""The configuration of a training."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from logging import getLogger
from typing import Any

from trainlens.errors import UsageError
from trainlens_torch.config.contradictions import check, idle
from trainlens_torch.config.files import read, write
from trainlens_torch.config.foreign import translated
from trainlens_torch.config.making_runs import MakingRuns
from trainlens_torch.config.making_updates import MakingUpdates
from trainlens_torch.config.overriding import assigned
from trainlens_torch.config.parts import (
    AlphaDiversitySettings,
    ClipLossSettings,
    DropoutSettings,
    FreezingSettings,
    LossSettings,
    ModelSettings,
)
from trainlens_torch.config.presets import apply_presets
from trainlens_torch.config.reading import LOGGED, SECTIONS, SPECS, flat, nested, spec_at
from trainlens_torch.config.running import (
    CheckpointSettings,
    DataSettings,
    MemorySettings,
    ResumeSettings,
)
from trainlens_torch.config.updates import (
    AdaptiveLRSettings,
    BatchSettings,
    ClippingSettings,
    GroupSettings,
    OptimizerSettings,
    PrecisionSettings,
    ScheduleSettings,
)
from trainlens_torch.config.watching import (
    DebugSettings,
    EarlyStoppingSettings,
    GuardSettings,
    HealthSettings,
    LoggingSettings,
    ValidationSettings,
)
from trainlens_torch.record.settings import readable

__all__ = ["TrainingConfig"]

_log = getLogger("trainlens_torch.config")


@dataclass(frozen=True)
class TrainingConfig(MakingUpdates, MakingRuns):
    """Every setting of a training, in sections; and what makes the parts of it.

    It is immutable: `changed`, `override`, presets and modes return another one. Each is checked
    when it is made, the values as well as what does not go together::

        config = TrainingConfig.preset("large_model", "safety").override(["optimizer.lr=3e-4"])
        optimizer = config.optimizer_for(model)
        clock = config.clock("30ep", updates_per_epoch=500)
        scheduler = config.scheduler(optimizer, clock, model)
        guard = config.guard_for(optimizer, clock, model)
        log = config.logger("runs/a", scheduler)

    The sections, each documented at its class, are the fields below.

    Raises
    ------
    UsageError
        One line: the dotted name of the setting, what it takes, and what was given.

    Examples
    --------
    >>> config = TrainingConfig.preset("safety").changed({"optimizer.lr": 1e-3})
    >>> config.optimizer.lr, config.memory.on_oom
    (0.001, 'split')
    >>> sorted(config.differences())[:2]
    ['checkpoints.every', 'guard.box']
    """

    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    groups: GroupSettings = field(default_factory=GroupSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    batch: BatchSettings = field(default_factory=BatchSettings)
    clipping: ClippingSettings = field(default_factory=ClippingSettings)
    precision: PrecisionSettings = field(default_factory=PrecisionSettings)
    adaptive_lr: AdaptiveLRSettings = field(default_factory=AdaptiveLRSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    dropout: DropoutSettings = field(default_factory=DropoutSettings)
    freezing: FreezingSettings = field(default_factory=FreezingSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    clip_loss: ClipLossSettings = field(default_factory=ClipLossSettings)
    alpha_diversity: AlphaDiversitySettings = field(default_factory=AlphaDiversitySettings)
    data: DataSettings = field(default_factory=DataSettings)
    memory: MemorySettings = field(default_factory=MemorySettings)
    checkpoints: CheckpointSettings = field(default_factory=CheckpointSettings)
    resume: ResumeSettings = field(default_factory=ResumeSettings)
    guard: GuardSettings = field(default_factory=GuardSettings)
    health: HealthSettings = field(default_factory=HealthSettings)
    validation: ValidationSettings = field(default_factory=ValidationSettings)
    early_stopping: EarlyStoppingSettings = field(default_factory=EarlyStoppingSettings)
    logging: LoggingSettings = field(default_factory=LoggingSettings)
    debug: DebugSettings = field(default_factory=DebugSettings)

    def __post_init__(self) -> None:
        for title, section in SECTIONS.items():
            given = getattr(self, title)
            if not isinstance(given, section):
                raise UsageError(f"{title} must be {section.__name__}, not {given!r}")
        check(self)

    @classmethod
    def preset(cls, *names: str) -> TrainingConfig:
        """The defaults with presets, in this order: ``preset("large_model", "safety")``.

        Raises
        ------
        UsageError
            An unknown name; the nearest one is named.
        """
        return apply_presets(cls(), names)

    def enable_performance_mode(self) -> TrainingConfig:
        """Prefetching, accumulation, times of data and steps in the log."""
        return apply_presets(self, ("performance",))

    def enable_safety_mode(self) -> TrainingConfig:
        """Health checks, recovery from out of memory, an adaptive batch, skipped updates."""
        return apply_presets(self, ("safety",))

    def enable_memory_efficient_mode(self) -> TrainingConfig:
        """Half of the batch accumulated twice, half of the sequence length, regular clean-up."""
        return apply_presets(self, ("memory",))

    def enable_debug_mode(self) -> TrainingConfig:
        """Anomaly detection, every step logged, the first batches printed, 100 updates."""
        return apply_presets(self, ("debug",))

    @classmethod
    def from_dict(
        cls, document: Mapping[str, Any], *, tell: Callable[[str], object] | None = None
    ) -> TrainingConfig:
        """A configuration from plain values.

        Parameters
        ----------
        document : mapping
            Sections, or names as they stand at the head of a log (`header`). ``preset`` names what
            it starts from, one name or a list. ``training``, ``adaptive_lr_config`` and
            ``unified_loss_config`` are read as DECODE's.
        tell : callable, optional
            Is given a line for each key of another configuration: what it was read as. By default
            the logger ``trainlens_torch.config``.

        Raises
        ------
        UsageError
            An unknown key (the nearest one is named), a value of the wrong type or out of its
            range, or a contradiction.
        """
        if not isinstance(document, Mapping):
            raise UsageError(f"a configuration is a mapping of sections, not {document!r}")
        taken = translated(document)
        base = cls.preset(*_presets(taken.document.pop("preset", ())))
        own = flat(taken.document)
        twice = sorted(own.keys() & taken.values.keys())
        if twice:
            raise UsageError(f"{twice[0]} is given twice, once under another name")
        for line in taken.told:
            (tell or _log.warning)(line)
        return base.changed({**taken.values, **own})

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], *, tell: Callable[[str], object] | None = None
    ) -> TrainingConfig:
        """A configuration from a file: JSON (comments are allowed), YAML or TOML by its end.

        Raises
        ------
        UsageError, SourceError
            As `from_dict`, with the file before it; or the file cannot be read.
        """
        document = read(path)
        try:
            return cls.from_dict(document, tell=tell)
        except UsageError as error:
            raise UsageError(f"{os.fspath(path)}: {error}") from None

    def save(self, path: str | os.PathLike[str], *, everything: bool = True) -> None:
        """Write the settings to a file, in the form that its end asks for.

        Parameters
        ----------
        path : path-like
        everything : bool
            False: only what differs from the defaults.

        Raises
        ------
        UsageError, OutputError
            An unknown end, or a place that cannot be written; what was there stays.
        """
        write(path, dict(self.items()) if everything else self.differences())

    def changed(self, values: Mapping[str, Any]) -> TrainingConfig:
        """The same with other settings, given by dotted name.

        Examples
        --------
        >>> TrainingConfig().changed({"batch.size": 8}).batch.size
        8
        """
        for path in values:
            spec_at(path)
        return dataclasses.replace(
            self,
            **{
                title: dataclasses.replace(getattr(self, title), **own)
                for title, own in nested(values).items()
            },
        )

    def override(self, texts: Iterable[str]) -> TrainingConfig:
        """The same with settings of a command line: ``["optimizer.lr=3e-4"]``.

        Components of a mapping are added to those that are there.
        """
        values = assigned(texts)
        for path, value in values.items():
            if spec_at(path).kind in ("ratios", "stages") and isinstance(value, Mapping):
                values[path] = {**self[path], **value}
        return self.changed(values)

    def __getitem__(self, path: str) -> Any:
        """A setting by its dotted name."""
        spec_at(path)
        section, _, name = path.partition(".")
        return getattr(getattr(self, section), name)

    def items(self) -> Iterable[tuple[str, Any]]:
        """Every setting by dotted name, in the order of the sections."""
        return [(path, self[path]) for path in SPECS]

    def differences(self) -> dict[str, Any]:
        """Settings that are not at their defaults, by dotted name."""
        return {path: value for path, value in self.items() if value != SPECS[path][1]}

    def idle(self) -> dict[str, str]:
        """Settings that are not at their defaults and have no effect, with the reason."""
        return idle(self)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Plain values by section, which `from_dict` takes."""
        return {title: readable(getattr(self, title)) for title in SECTIONS}

    def header(self) -> dict[str, Any]:
        """Plain values for the head of a log, under names that trainlens knows.

        ``batch_size``, ``gradient_accumulation_steps``, ``seed``, ``val_seed``, ``dropout_rate``
        and ``max_grad_norm`` stand at the top, and ``total_steps`` where the length is known in
        updates; all else in its section. `from_dict` takes it.
        """
        own, names = dict(self.items()), dict(LOGGED)
        if not isinstance(self.schedule.total, int):
            del names["total_steps"]
        top = {name: own.pop(path) for name, path in names.items()}
        found: dict[str, Any] = readable({**top, **nested(own)})
        return found

    def describe(self) -> str:
        """A table of all settings: value, range, unit and meaning."""
        from trainlens_torch.config.table import described

        return described(self)

    def __str__(self) -> str:
        from trainlens_torch.config.table import briefly

        return briefly(self)

    def __rich__(self) -> Any:
        from trainlens_torch.config.table import pictured

        return pictured(self)


def _presets(given: Any) -> tuple[str, ...]:
    if isinstance(given, str):
        return (given,)
    if isinstance(given, list | tuple) and all(isinstance(one, str) for one in given):
        return tuple(given)
    raise UsageError(f"preset is a name or a list of names, not {given!r}")
