"""The report of a run, put where the experiment lives: only where somebody asks for it.

A *home* is a place for a report, one file of this folder each: beside the log, or in the run of
the tracker that wrote it. `planned` says which runs get a report in which homes, before anything
is done; `attached` makes the report of a run once and puts it in its homes.

What belongs to a tracker's own store is written by the SDK of that tracker, in a process of its
own; everything else appears whole or not at all. Nothing else of a run is changed.
"""

from trainlens.attach.attaching import Attached, attached
from trainlens.attach.homes import WHERE, Plan, planned
from trainlens.attach.parcel import Parcel, Wanted, packed

__all__ = ["WHERE", "Attached", "Parcel", "Plan", "Wanted", "attached", "packed", "planned"]
