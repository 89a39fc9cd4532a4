import numpy as np

from kit.masks import table as masks
from kit.objects import forest
from kit.objects.rectangles import fit_rectangles
from kit.scoring.counts import count


def test_candidates_are_the_components_of_every_threshold(noisy, candidates):
    maps, truth = noisy
    assert len(candidates.image) > 100 and (np.diff(candidates.image) >= 0).all()
    drawn = 0
    for place, image in enumerate(maps):
        rows, real = np.flatnonzero(candidates.image == place), masks.select(truth, [place])
        grown = forest.grow_forest(truth.ids[place], image)
        assert np.array_equal(candidates.level[rows], grown.level)
        assert np.array_equal(candidates.measures[rows], grown.measures)
        held = candidates.parent[rows]
        assert np.array_equal(np.where(held < 0, -1, held - rows[:1].sum()), grown.parent)
        for level, threshold in enumerate(forest.THRESHOLDS):
            found = masks.select_objects(grown.masks, grown.level == level)
            at = rows[grown.level == level]
            assert np.array_equal(candidates.hits[at], count(real, found).predicted_hits)
            boxes, _ = fit_rectangles(found, [image], threshold=threshold)
            hits = count(real, boxes).predicted_hits
            drawn += hits.sum()
            if len(found.labels) == 1:  # else boxes would keep off each other
                assert np.array_equal(candidates.rectangle_hits[at], hits)
    assert drawn > 50 and (candidates.rectangle_hits != candidates.hits).any()
