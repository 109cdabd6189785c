"""Random brightness in grey values."""

import numpy as np
import pytest

from mmseg_sparse.datasets.transforms import RandomBrightness


@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_adds_one_number_to_the_whole_image(dtype):
    np.random.seed(0)  # noqa: NPY002
    image = np.random.default_rng(0).integers(20, 230, (6, 5, 3))
    image = image.astype(dtype)
    copy, added = image.copy(), set()
    for _ in range(40):
        results = RandomBrightness(10).transform(dict(img=image, other=1))
        found = results.pop('img')
        assert results == dict(other=1)
        assert found.dtype == dtype
        difference = found.astype(np.float64) - image
        assert np.ptp(difference) < 1e-4
        added.add(round(float(difference.mean()), 3))
    assert np.array_equal(image, copy)
    assert len(added) > 10
    assert min(added) < -5
    assert max(added) > 5
    assert max(map(abs, added)) <= 10


def test_stays_in_the_range_of_the_dtype():
    image = np.array([[[0, 128, 255]]], np.uint8)
    for _ in range(20):
        found = RandomBrightness(200).transform(dict(img=image))['img']
        assert found[0, 0, 0] <= found[0, 0, 1] <= found[0, 0, 2]


def test_refuses_a_negative_delta():
    with pytest.raises(ValueError, match='at least 0, got -1'):
        RandomBrightness(-1)
