"""``trainlens-torch doctor``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from trainlens_torch.cli._environment import Check

_SIGNS = {"ok": ("ok", "green"), "note": ("note", "yellow"), "fault": ("FAULT", "red")}
_SCHEMA = "trainlens.doctor/1"


@click.command("doctor")
@click.option("-o", "--output", type=click.Path(), default=".", metavar="DIR",
              help="Where runs are to be written.  [default: here]")  # fmt: skip
@click.option("--data", type=click.Path(), multiple=True, metavar="PATH",
              help="A data set: a file or a folder; may be repeated.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help=f"The same for machines, {_SCHEMA}.")
def command(output: str, data: tuple[str, ...], as_json: bool) -> int:
    """Check whether a training can start here: Python, torch, devices, memory, disk, data.

    Exit code 0: it can; 1: there is a fault.
    """
    from trainlens_torch.cli._environment import packages

    checks = _checks(Path(output), data)
    versions = packages()
    faults = sum(one.status == "fault" for one in checks)
    if as_json:
        found = {
            "schema": _SCHEMA,
            "ready": not faults,
            "checks": [asdict(one) for one in checks],
            "packages": versions,
        }
        click.echo(json.dumps(found, indent=2))
    else:
        click.echo(_told(checks, versions, faults))
    return int(bool(faults))


def _checks(output: Path, data: tuple[str, ...]) -> list[Check]:
    from trainlens_torch.cli import _environment as environment

    torch, problem = _torch()
    found = [environment.python(), environment.torch(torch, problem)]
    if torch is not None:
        found += environment.device(torch)
    found += [environment.memory(_available(torch)), *environment.disk(output)]
    return [*found, *(environment.data(Path(one)) for one in data)]


def _torch() -> tuple[Any, str]:
    """The module, or why there is none."""
    try:
        import torch
    except ModuleNotFoundError as error:
        return None, "" if error.name == "torch" else f"it needs {error.name}"
    except (ImportError, OSError) as error:  # a library of another system, or a missing one
        return None, " ".join(str(error).split())[:200]
    return torch, ""


def _available(torch: Any) -> float | None:
    """Memory of the host that is left, in GiB."""
    if torch is None:
        return None
    from trainlens_torch.system.host import host_reader

    found = host_reader()()
    if "ram_total_gib" not in found:
        return None
    return found["ram_total_gib"] - found["ram_used_gib"]


def _told(checks: list[Check], versions: dict[str, str], faults: int) -> str:
    lines = []
    for one in checks:
        sign, colour = _SIGNS[one.status]
        remedy = f"; {one.remedy}" if one.remedy else ""
        lines.append(f"{click.style(f'{sign:>5}', fg=colour)}  {one.name}: {one.told}{remedy}")
    held = ", ".join(f"{name} {version}" for name, version in versions.items())
    lines.append(f"       packages: {held or 'none of the optional ones'}")
    if faults:
        many = f"{faults} fault{'s' * (faults != 1)}"
        return "\n".join([*lines, "", f"Not ready: {many}."])
    return "\n".join([*lines, "", "Ready: a training can start here."])
