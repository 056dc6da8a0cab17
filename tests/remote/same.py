"""Equality of runs that were read in two places, bit for bit."""

import numpy as np

FIELDS = ("step", "value", "wall_time", "epoch")


def assert_equal(there, here):
    assert [r.name for r in there] == [r.name for r in here]
    for a, b in zip(there, here, strict=True):
        assert (a.format, repr(a.config)) == (b.format, repr(b.config))
        assert [(n.kind, n.message, n.lost) for n in a.notices] == [
            (n.kind, n.message, n.lost) for n in b.notices
        ]
        assert list(a.series) == list(b.series)
        for key, series in a.series.items():
            for field in FIELDS:
                np.testing.assert_array_equal(getattr(series, field), getattr(b.series[key], field))
