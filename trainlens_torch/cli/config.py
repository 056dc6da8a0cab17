"""``trainlens-torch config``."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from trainlens_torch.config import TrainingConfig

_SCHEMA = "trainlens.config/1"


class _Explained(click.Command):
    """Its help ends with every setting."""

    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Name, default, range and meaning of each setting."""
        from trainlens_torch.config.table import helped

        formatter.write("\nSettings:\n\n" + helped(formatter.width) + "\n")


@click.group("config")
def command() -> None:
    """Show and check the configuration of a training, and list the presets."""


def _given(function: Callable[..., Any]) -> Callable[..., Any]:
    """What names a configuration."""
    for option in (
        click.option("--set", "settings", multiple=True, metavar="SECTION.NAME=VALUE",
                     help="A setting, written as in YAML; may be repeated."),
        click.option("--preset", "presets", multiple=True, metavar="NAME",
                     help="A preset; may be repeated, of two the later one counts."),
        click.option("--patch", metavar="PATCH.JSON",
                     help="What `trainlens prescribe -o` wrote, applied at last."),
        click.argument("file", required=False, metavar="[FILE]"),
    ):  # fmt: skip
        function = option(function)
    return function


@command.command("show", cls=_Explained)
@_given
@click.option("--changed", is_flag=True, help="Only what differs from the defaults.")
@click.option("--json", "as_json", is_flag=True, help=f"Plain values, {_SCHEMA}.")
@click.option("-o", "--output", metavar="FILE", help="Write it: .json, .yaml or .toml.")
def show(changed: bool, as_json: bool, output: str | None, **given: Any) -> int:
    """Print a configuration with the range and meaning of each setting."""
    config = _config(**given)
    if output:
        config.save(output, everything=not changed)
    if as_json:
        values = config.to_dict()
        click.echo(json.dumps({"schema": _SCHEMA, "config": values}, indent=2))
    else:
        click.echo(str(config) if changed else config.describe())
    return 0


@command.command("check")
@_given
def check(**given: Any) -> int:
    """Check a configuration: names, types, ranges, contradictions, settings without effect.

    Exit code 0: it can be used; 2: it cannot.
    """
    config = _config(**given)
    for path, why in config.idle().items():
        click.echo(f"{path} has no effect: {why}")
    count = len(config.differences())
    click.echo(f"Good: {count} setting{'s' * (count != 1)} differ from the defaults.")
    return 0


@command.command("presets")
@click.argument("names", nargs=-1, metavar="[NAME]...")
def presets(names: tuple[str, ...]) -> int:
    """List the presets, or what some of them change together."""
    from trainlens_torch.config import PRESETS, TrainingConfig

    if names:
        click.echo(str(TrainingConfig.preset(*names)))
        return 0
    for name, preset in PRESETS.items():
        click.echo(f"{name:<12} {preset.help}")
    return 0


def _config(
    file: str | None, presets: tuple[str, ...], settings: tuple[str, ...], patch: str | None
) -> TrainingConfig:
    """The configuration that a command line names; what was translated or left goes to stderr."""
    from trainlens_torch.config import TrainingConfig, apply_prescription
    from trainlens_torch.config.presets import apply_presets

    config = TrainingConfig.load(file, tell=_tell) if file else TrainingConfig()
    config = apply_presets(config, presets).override(settings)
    if patch is None:
        return config
    applied = apply_prescription(config, patch)
    _tell(str(applied))
    return applied.config


def _tell(line: str) -> None:
    click.echo(line, err=True)
