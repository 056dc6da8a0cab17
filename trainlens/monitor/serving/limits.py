"""How much of this machine the clients of a page may hold."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds of a `trainlens.monitor.serving.Server`.

    Parameters
    ----------
    head : int
        Bytes of a request's first line and headers together.
    connections : int
        At once; a further one takes the place of the one that has taken longest to ask.
    streams : int
        Of the connections, how many may wait for news.
    asking : float
        Seconds within which a request must be there whole.
    stalled : float
        Seconds for which an answer may wait for its reader to take some of it.
    answering : float
        Seconds within which an answer must be taken whole.
    parting : float
        Seconds for which what a client still sends is thrown away, so that it gets to read its
        answer: a connection closed over unread bytes takes the answer with it.
    parting_bytes : int
        How much of it.
    beat : float
        Seconds between the signs of life of a stream.
    """

    head: int = 8192
    connections: int = 32
    streams: int = 8
    asking: float = 10.0
    stalled: float = 20.0
    answering: float = 300.0
    parting: float = 2.0
    parting_bytes: int = 1 << 20
    beat: float = 15.0
