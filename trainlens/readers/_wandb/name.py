"""What a run is called, from the first bytes of its log."""

from __future__ import annotations

from pathlib import Path

from trainlens.readers._tfevents.wire import Malformed
from trainlens.readers._wandb import beside, record
from trainlens.readers._wandb.log import Record, Scan
from trainlens.readers._wandb.settings import Settings
from trainlens.readers.base import head


def name_of(log: Path) -> str:
    """Display name of a run, else its id."""
    settings = Settings()
    for item in Scan(head(log), 0, False).items:
        if not isinstance(item, Record):
            continue
        try:
            said = record.content(item.data, item.at, item.stop)
            if said.kind == record.RUN:
                settings.add_run(item.data, said.begin, said.end)
                break
        except Malformed:
            continue
    about = settings.about
    return about.get("name") or about.get("id") or beside.run_id(log.parent) or beside.run_id(log)
