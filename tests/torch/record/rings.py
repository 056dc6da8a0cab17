"""A ring of values of a device, with a device and a clock that are moved by hand."""

import threading

import torch

from trainlens_torch.record._ring_transport import PlainTransport
from trainlens_torch.record.ring import DeviceRing

CPU = torch.device("cpu")


class Late(PlainTransport):
    """A device that copies a page at the last moment: when it is told to go on.

    A page that the ring fills again too early arrives with wrong values.
    """

    def __init__(self, done=False):
        super().__init__(CPU)
        self.done = done
        self.sent = []
        self.threads = set()
        self.capturing = False

    def free(self):
        return not self.capturing

    def send(self, page):
        self.threads.add(threading.get_ident())
        self.sent.append((page, page.used))
        if self.done:
            self.go_on(1)

    def go_on(self, count):
        for page, used in self.sent[:count]:
            page.host[:used].copy_(page.device[:used])
        del self.sent[:count]

    def arrived(self, page):
        self.threads.add(threading.get_ident())
        return all(page is not other for other, _ in self.sent)


class Hands:
    """A clock that is set by hand, or by sleeping."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def made(transport=None, **more):
    clock = Hands()
    ring = DeviceRing("cpu", clock=clock, sleep=clock.sleep, transport=transport, **more)
    return ring, clock


def losses(value, count=1):
    return {f"loss{i}": torch.tensor(float(value) + i) for i in range(count)}
