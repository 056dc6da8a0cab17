"""Which place of some is nearest to another."""

import numpy as np

from trainlens.stats.nearby import nearest


def test_the_nearest_place_is_that_of_the_least_distance():
    rng = np.random.default_rng(1)
    for n in (1, 2, 7):
        place = np.sort(rng.choice(100, n, replace=False)).astype(float)
        wanted = rng.uniform(-20, 120, 50)
        found = np.abs(place[nearest(place, wanted)] - wanted)
        assert (found == np.abs(place[:, None] - wanted).min(axis=0)).all()
