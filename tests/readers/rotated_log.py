"""Writing the parts of a rotated log, and what is read of it."""

import gzip
import json


def rows(begin, end):
    return "".join(json.dumps({"step": i, "loss": 1 / (i + 1)}) + "\n" for i in range(begin, end))


def lines(begin, end):
    return "".join(f"step {i} loss {1 / (i + 1):.6f}\n" for i in range(begin, end))


def table(begin, end, header="epoch,loss,val_loss\n"):
    return header + "".join(f"{i},{1 / (i + 1):.5f},{2 / (i + 1):.5f}\n" for i in range(begin, end))


def put(folder, **parts):
    """Files of a log called ``log``, by what their names go on with; ``gz`` in it compresses."""
    for name, text in parts.items():
        path = folder / ("train.log" + name.replace("_", ".").removesuffix(".live"))
        data = text.encode()
        path.write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    return folder / "train.log"


def steps(run):
    return run["loss"].step.tolist()


def torn(run):
    return [n for n in run.notices if n.kind == "torn-tail"]


def points(run):
    return [(*key, s, v) for key, x in run.series.items()
            for s, v in zip(x.step.tolist(), x.value.tolist(), strict=True)]  # fmt: skip


def same(a, b):
    assert points(a) == points(b)
    assert dict(a.config) == dict(b.config)
