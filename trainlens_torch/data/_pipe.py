"""A thread that works ahead: a few results are ready before they are asked for."""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

import torch

from trainlens_torch.data._randomness import elsewhere

__all__ = ["Pipe"]

_PATIENCE = 5.0


class Pipe:
    """Results of a call, made ahead by a thread of their own, in order.

    The thread ends after the last result, after an error, when the pipe is closed, and when nobody
    holds the pipe any more. It can be ended between two calls only. Torch computes in it with one
    thread.

    Parameters
    ----------
    make : callable
        Called again and again until it raises; `StopIteration` is the end.
    depth : int
        Results that may wait.
    """

    def __init__(self, make: Callable[[], Any], depth: int) -> None:
        self._state = _State(depth)
        self._thread = threading.Thread(
            target=_work, args=(make, self._state), name="trainlens-prefetch", daemon=True
        )
        _start(self._thread, self._state)
        # Also at the end of the interpreter, which a thread inside of torch would bring down.
        self._end = weakref.finalize(self, _ended, self._state, self._thread, os.getpid())

    def take(self) -> Any:
        """The next result.

        Raises
        ------
        StopIteration
            There are no more.
        BaseException
            What the call raised, with its traceback.
        """
        state = self._state
        with state.changed:
            state.changed.wait_for(lambda: state.ready or state.over or state.error is not None)
            if state.ready:
                state.changed.notify_all()
                return state.ready.popleft()
            error, state.error = state.error, None
            state.over = True
        try:
            raise StopIteration if error is None else error
        finally:
            del error  # which holds this frame through its traceback

    @property
    def closed(self) -> bool:
        """Whether it was closed, as opposed to having come to its end."""
        return self._state.closed

    def close(self) -> None:
        """End the thread; one that is still in its call after 5 s ends when that returns."""
        self._end()


class _State:
    """What both threads share; it knows neither, so that the pipe can be forgotten."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.begun = threading.Event()
        self.changed = threading.Condition()
        self.ready: deque[Any] = deque()
        self.error: BaseException | None = None
        self.over = self.closed = False


def _start(thread: threading.Thread, state: _State) -> None:
    threads = torch.get_num_threads()
    thread.start()
    state.begun.wait()
    # Torch keeps the number for each thread, and that of the last call for threads to come.
    torch.set_num_threads(threads)


def _work(make: Callable[[], Any], state: _State) -> None:
    # As in the processes of a loader: two pools of threads on the same cores stand in each
    # other's way. Asked once, torch does not set the number of this thread again later.
    torch.get_num_threads()
    torch.set_num_threads(1)
    state.begun.set()
    with elsewhere():
        while True:
            with state.changed:
                state.changed.wait_for(lambda: state.closed or len(state.ready) < state.depth)
                if state.closed:
                    return
            error = _one(make, state)
            if error is not None:
                with state.changed:
                    state.error = error
                    state.changed.notify_all()
                return


def _one(make: Callable[[], Any], state: _State) -> BaseException | None:
    """One more result; a function of its own, so that the thread keeps none of them."""
    try:
        made = make()
    except BaseException as error:  # it is raised in the loop
        return error
    with state.changed:
        if not state.closed:
            state.ready.append(made)
        state.changed.notify_all()
    return None


def _ended(state: _State, thread: threading.Thread, process: int) -> None:
    if os.getpid() != process:
        return  # a fork has the lock as it was, and not the thread
    with state.changed:
        state.closed = state.over = True
        state.error = None
        state.ready.clear()
        state.changed.notify_all()
    if thread is not threading.current_thread():
        thread.join(_PATIENCE)
