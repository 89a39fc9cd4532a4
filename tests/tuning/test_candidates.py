import numpy as np

from kit.masks import dense
from kit.masks import table as masks
from kit.objects import components
from kit.scoring.counts import count
from kit.tuning.candidates import THRESHOLDS


def test_candidates_are_the_components_of_every_threshold(noisy, candidates):
    maps, truth = noisy
    assert len(candidates.image) > 100 and (np.diff(candidates.image) >= 0).all()
    for place, image in enumerate(maps):
        for level, threshold in enumerate(THRESHOLDS):
            rows = (candidates.image == place) & (candidates.level == level)
            found = components.find_components(truth.ids[[place]], [image], threshold)
            chosen = candidates.select(rows)
            for name, describe in components.COLUMNS.items():
                assert np.array_equal(chosen.columns[name], describe(found, image))
            assert np.array_equal(chosen.columns["area"], masks.areas(found)) and np.array_equal(
                chosen.hits, candidates.hits[rows]
            )
            assert np.array_equal(
                candidates.hits[rows], count(masks.select(truth, [place]), found).predicted_hits
            )
            for low in range(len(THRESHOLDS)):
                held = candidates.held_by[rows, low]
                if low > level:
                    assert not held.any()
                    continue
                whole = components.find_components(truth.ids[[place]], [image], THRESHOLDS[low])
                areas = masks.areas(whole)
                inside = [
                    np.flatnonzero([(big & small).any() for big in dense.to_masks(whole, 0)])
                    for small in dense.to_masks(found, 0)
                ]
                assert [int(areas[hit[0]]) for hit in inside] == held.tolist()
