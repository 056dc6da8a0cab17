"""A page on this machine's own address: one thread, GET alone, for those who hold its token.

`request` takes the head of a request apart, `gate` says who may ask, `answers` holds what is said,
`connection` is one of those who asked, and `server` waits for all of them at once. No body of a
request is ever looked at, nothing is written to the terminal, and whatever a client does or leaves
undone costs a bounded share of memory and time.
"""

from trainlens.monitor.serving.limits import Limits
from trainlens.monitor.serving.server import Server

__all__ = ["Limits", "Server"]
