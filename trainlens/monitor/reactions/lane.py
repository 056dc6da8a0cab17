"""The way to one channel: a thread of its own, so that the watch never waits for a hook."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Protocol

from trainlens import words
from trainlens.monitor.reactions.limits import Message, Outbox
from trainlens.monitor.reactions.told import Told, held_back


class Channel(Protocol):
    """Where messages go."""

    @property
    def name(self) -> str:
        """What notices call it."""
        ...

    def send(self, message: Message) -> str:
        """Pass a message on; what went wrong as one line, empty where nothing did."""
        ...

    def cancel(self) -> float:
        """End what is under way; the seconds that this takes at most. For another thread."""
        ...


class Lane:
    """Passes changes on to a channel, one message after the other, in a thread of its own.

    Parameters
    ----------
    channel : Channel
    outbox : Outbox
    notices : queue of str
        Gets a line for what failed or was held back.
    clock : callable
        Seconds that never go back.
    """

    def __init__(
        self,
        channel: Channel,
        outbox: Outbox,
        notices: SimpleQueue[str],
        clock: Callable[[], float],
    ) -> None:
        self._channel = channel
        self._outbox = outbox
        self._notices = notices
        self._clock = clock
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._finishing = self._cancelled = self._warned = False
        self._under_way = 0
        self._error: BaseException | None = None

    def offer(self, told: Sequence[Told]) -> None:
        """Take changes to pass on; returns at once.

        Raises
        ------
        BaseException
            What the thread died of, once.
        """
        error, self._error = self._error, None
        if error is not None:
            raise error
        if not told:
            return
        with self._changed:
            self._outbox.add(told, self._clock())
            self._changed.notify()
        if self._thread is None:
            # A daemon: one that waits for a host must not keep the command from ending.
            name = f"trainlens-{self._channel.name}"
            self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
            self._thread.start()

    def finish(self) -> None:
        """Let go out what is there, without waiting for more, and end then."""
        with self._changed:
            self._finishing = True
            self._changed.notify()

    def cancel(self) -> float:
        """End soon, whatever is there or under way; the seconds that this takes at most."""
        with self._changed:
            self._finishing = self._cancelled = True
            self._changed.notify()
        return self._channel.cancel()

    def join(self, wait: float) -> None:
        """Wait for the thread to end, `wait` seconds at most."""
        if self._thread is not None:
            self._thread.join(max(0.0, wait))

    def left(self) -> str:
        """What did not reach the channel, as one line; empty where all did."""
        with self._changed:
            count = self._outbox.waiting + self._outbox.held + self._under_way
        if not count:
            return ""
        verb = "was" if count == 1 else "were"
        return f"{self._channel.name}: {words.plural(count, 'finding')} {verb} not passed on"

    def _serve(self) -> None:
        try:
            while (message := self._next()) is not None:
                problem = self._channel.send(message)
                if problem:
                    self._notices.put(f"{self._channel.name}: {problem}")
                with self._changed:
                    self._under_way = 0
        except BaseException as error:  # handed to the watch, which raises it
            self._error = error

    def _next(self) -> Message | None:
        """The next message, as soon as there is one; None at the end."""
        with self._changed:
            while not self._cancelled:
                message = self._outbox.take(self._clock(), rest=self._finishing)
                self._tell(message)
                if message is not None:
                    self._under_way = len(message.told)
                    return message
                if self._finishing:
                    return None
                due = self._outbox.due
                self._changed.wait(None if due is None else max(0.0, due - self._clock()))
            return None

    def _tell(self, message: Message | None) -> None:
        """Say when findings begin to be held back, and how many they were."""
        if message is not None and message.held:
            self._notices.put(f"{self._channel.name}: {held_back(message.held)}")
        if message is not None:
            self._warned = False
        if self._outbox.held and not self._warned and not self._finishing:
            self._warned = True
            self._notices.put(f"{self._channel.name}: too many messages, holding findings back")
