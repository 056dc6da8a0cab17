"""A filesystem in memory that fails, truncates or stalls on demand, and refuses to be written."""

import io
import threading

from fsspec import AbstractFileSystem


class Zeros:
    """An object of any size that takes no memory."""

    def __init__(self, size, start=b""):
        self.size, self.start = size, start

    def __len__(self):
        return self.size

    def __getitem__(self, part):
        begin, end, _ = part.indices(self.size)
        return self.start[begin:end] + b"\0" * (end - max(begin, min(len(self.start), end)))


class FaultyFS(AbstractFileSystem):
    """What is in it, what was asked of it and how it fails are of the class: see `begin`."""

    protocol = "faulty"
    cachable = False

    @classmethod
    def begin(cls):
        cls.objects = {}  # path -> content
        cls.versions = {}  # path -> anything that changes with it
        cls.asked = []  # (path, start, end)
        cls.fault = lambda path, start, end: None  # may raise, or give what is read instead
        cls.listed = 0
        cls.release = threading.Event()

    @classmethod
    def put(cls, path, content):
        cls.objects[path] = content
        cls.versions[path] = cls.versions.get(path, 0) + 1

    @classmethod
    def received(cls):
        return sum(end - start for _, start, end in cls.asked)

    @classmethod
    def _strip_protocol(cls, path):
        return path.removeprefix("faulty://").rstrip("/")

    def info(self, path, **_):
        path = self._strip_protocol(path)
        if path in self.objects:
            found = {"name": path, "size": len(self.objects[path]), "type": "file"}
            version = self.versions[path]
            return {**found, "etag": version} if version else found
        if any(name.startswith(path + "/") for name in self.objects):
            return {"name": path, "size": 0, "type": "directory"}
        raise FileNotFoundError(path)

    def find(self, path, detail=False, **_):
        type(self).listed += 1
        return {p: self.info(p) for p in self.objects if p.startswith(path.rstrip("/") + "/")}

    def cat_file(self, path, start=None, end=None, **_):
        self.asked.append((path, start, end))
        instead = type(self).fault(path, start, end)
        if instead is not None:
            return instead
        if path not in self.objects:
            raise FileNotFoundError(path)
        return bytes(self.objects[path][start:end])

    def _open(self, path, mode="rb", **_):
        assert mode == "rb", "a run behind a URL must never be written"
        return io.BytesIO(self.cat_file(path, 0, len(self.objects[path])))

    def _refuse(self, *_, **__):
        raise AssertionError("a run behind a URL must never be written")

    mkdir = makedirs = rm_file = _rm = cp_file = pipe_file = put_file = touch = _refuse
