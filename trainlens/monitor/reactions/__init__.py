"""Reactions: what the monitor does when something happens to a finding.

A command, a webhook and a note on the desktop are told of it, each in a thread of its own; the
watch can end, and the process that trains can get a signal. None of it holds up the watch.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from queue import Empty, SimpleQueue

from trainlens.monitor.model import Update
from trainlens.monitor.reactions.command import Command
from trainlens.monitor.reactions.desktop import Desktop
from trainlens.monitor.reactions.lane import Channel, Lane
from trainlens.monitor.reactions.limits import Gate, Outbox
from trainlens.monitor.reactions.signals import Signaller, number
from trainlens.monitor.reactions.stop import Stop, criteria
from trainlens.monitor.reactions.told import told
from trainlens.monitor.reactions.wanted import FORMS, Wanted
from trainlens.monitor.reactions.webhook import Webhook

__all__ = ["FORMS", "Reactions", "Wanted"]

_WINDOW = 2.0
"""Seconds in which further changes join a message."""


class Reactions:
    """Does what is wanted at each round.

    Parameters
    ----------
    wanted : Wanted
    known : collection of str
        Names of the rules that run, for `Wanted.stop_on` and `Wanted.signal_on`.
    clock : callable
        Seconds that never go back.
    sleep : callable
        Called, in a thread, with the seconds to wait before a webhook is tried again.
    environ : mapping of str to str
        Environment of commands.

    Raises
    ------
    UsageError
        A value that an option cannot have, or a process that cannot be signalled.
    """

    def __init__(
        self,
        wanted: Wanted,
        *,
        known: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._wanted = wanted
        self._clock = clock
        self._notices: SimpleQueue[str] = SimpleQueue()
        self._gate = Gate(wanted.least)
        stop = criteria("--stop-on", wanted.stop_on, known) if wanted.stop_on else None
        self._stop = Stop(stop) if stop else None
        self._signaller = None
        if wanted.pid is not None:
            given = wanted.signal_on or wanted.stop_on or ("error",)
            option = "--stop-on" if stop and not wanted.signal_on else "--signal-on"
            about = criteria(option, given, known)
            self._signaller = Signaller(wanted.pid, number(wanted.signal), about)
        self._lanes = [self._lane(c) for c in self._channels(sleep, environ)]

    @property
    def stopping(self) -> str:
        """Why the watch is to end with exit code 1, as one line; empty while it goes on."""
        return self._stop.reason if self._stop else ""

    def react(self, update: Update) -> tuple[str, ...]:
        """Do what a round calls for, within milliseconds: hooks run on their own.

        Parameters
        ----------
        update : Update

        Returns
        -------
        tuple of str
            What failed, was held back or was done to a process since the last round, a line each,
            safe to print.
        """
        standings = {(run.name, run.source): run for run in update.runs}
        passed = [
            told(change, standings.get((change.run, change.source)))
            for change in self._gate.passed(update.changes)
        ]
        for lane in self._lanes:
            lane.offer(passed)
        if self._stop:
            self._stop.look(update)
        if self._signaller:
            for notice in self._signaller.look(update):
                self._notices.put(notice)
        return tuple(self._said())

    def close(self, wait: float) -> tuple[str, ...]:
        """Let what is under way end, then end it.

        What still waits goes out at once. After `wait` a hook that still runs is asked to end, and
        killed `trainlens.monitor.reactions.process.GRACE` seconds later; so it is at once where
        Ctrl-C comes while this waits.

        Parameters
        ----------
        wait : float
            Seconds.

        Returns
        -------
        tuple of str
            As `react`, and what was not passed on.
        """
        until = self._clock() + wait
        for lane in self._lanes:
            lane.finish()
        try:
            for lane in self._lanes:
                lane.join(until - self._clock())
        finally:
            ends = [(lane, self._clock() + lane.cancel()) for lane in self._lanes]
            for lane, end in ends:
                lane.join(end - self._clock())
        return (*self._said(), *filter(None, (lane.left() for lane in self._lanes)))

    def _channels(
        self, sleep: Callable[[float], object], environ: Mapping[str, str]
    ) -> Iterator[Channel]:
        w = self._wanted
        if w.on_finding:
            yield Command(w.on_finding, w.hook_timeout, environ)
        if w.webhook:
            webhook = Webhook(w.webhook, w.webhook_form, sleep=sleep)
            if webhook.insecure:
                self._notices.put(webhook.insecure)
            yield webhook
        if w.notify:
            desktop = Desktop(environ)
            if desktop.missing:
                self._notices.put(desktop.missing)
            else:
                yield desktop

    def _lane(self, channel: Channel) -> Lane:
        together = not isinstance(channel, Command)
        outbox = Outbox(
            together=together,
            window=_WINDOW if together else 0.0,
            most=self._wanted.most,
            period=self._wanted.period,
        )
        return Lane(channel, outbox, self._notices, self._clock)

    def _said(self) -> Iterator[str]:
        while True:
            try:
                yield self._notices.get_nowait()
            except Empty:
                return
