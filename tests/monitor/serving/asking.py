"""Raw requests: what no well-behaved client would send can be sent as well."""

import contextlib
import socket

TOKEN = "s3cret-token_of-the-tests"
PATIENCE = 10.0


def connect(server):
    """A socket to a server, which gives up after ten seconds."""
    port = int(server.url.split(":")[2].split("/")[0])
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def head(method="GET", route="/", host="127.0.0.1:80", token=TOKEN, **headers):
    """The head of a request; headers with underscores for hyphens, None leaves one out."""
    target = route if token is None else f"{route}?token={token}"
    told = {"Host": host, **{k.replace("_", "-"): v for k, v in headers.items()}}
    lines = [f"{k}: {v}" for k, v in told.items() if v is not None]
    return "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""]).encode("latin-1")


def rest(held):
    """All that comes until the other side closes; a reset ends it as well."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := held.recv(1 << 16):
            parts.append(part)
    return b"".join(parts)


def ask(server, *pieces):
    """Status, headers (lower-case names) and body of the answer to some bytes."""
    with connect(server) as held:
        for piece in pieces:
            held.sendall(piece)
        return taken(rest(held))


def taken(answer):
    """An answer in its parts."""
    top, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = top.decode("ascii").split("\r\n")
    pairs = [line.split(": ", 1) for line in lines]
    return int(first.split()[1]), {k.lower(): v for k, v in pairs}, body


def following(server, **headers):
    """A socket whose stream of events is open, and what came with its head."""
    held = connect(server)
    held.sendall(head(route="/events", **headers))
    return held, until(held, b"retry: 2000\n\n")


def until(held, wanted):
    """Bytes up to and with some."""
    came = b""
    while wanted not in came:
        part = held.recv(4096)
        assert part, f"closed before {wanted!r}: {came!r}"
        came += part
    return came
