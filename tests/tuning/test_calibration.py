import numpy as np

from kit.tuning.calibration import calibrate, logit


def test_a_line_that_made_the_data_is_found():
    rng = np.random.default_rng(0)
    said = rng.normal(0, 2, 20_000)
    holds = rng.random(20_000) < 1 / (1 + np.exp(-(0.7 * said - 1.1)))
    slope, offset = calibrate(1 / (1 + np.exp(-said)), holds)
    assert abs(slope - 0.7) < 0.03 and abs(offset + 1.1) < 0.05


def test_separable_images_give_a_finite_line():
    slope, offset = calibrate(
        np.array([0.0, 0.01, 0.99, 1.0]), np.array([False, False, True, True])
    )
    assert np.isfinite([slope, offset]).all() and slope > 0


def test_a_few_images_make_nobody_certain():
    """Platt's targets for two images each are 3/4 and 1/4."""
    slope, offset = calibrate(np.array([0.2, 0.2, 0.8, 0.8]), np.array([False, False, True, True]))
    for said, wanted in ((0.2, 0.25), (0.8, 0.75)):
        assert abs(1 / (1 + np.exp(-(slope * logit(said) + offset))) - wanted) < 0.01


def test_a_network_that_knows_nothing_gets_no_line():
    assert calibrate(np.array([0.9, 0.8, 0.1, 0.2]), np.array([False, False, True, True])) == (
        0.0,
        0.0,
    )
    assert calibrate(np.array([0.3, 0.4]), np.array([True, True])) == (0.0, 0.0)


def test_a_network_that_says_the_same_of_all_gets_no_line():
    assert (
        calibrate(np.ones(20), np.arange(20) < 9)
        == calibrate(np.full(20, 0.3), np.arange(20) < 9)
        == (0, 0)
    )


def test_logits_of_certain_images_are_finite():
    assert np.isfinite(logit(np.array([0.0, 1.0]))).all() and np.isclose(logit(0.5), 0)
