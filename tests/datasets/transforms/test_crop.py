"""SparseRandomCrop: the stock crops, crops with labels, and how varied."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmcv.transforms.utils import cache_random_params
from mmseg.registry import TRANSFORMS
from numpy.typing import NDArray

from tests.helpers.beside_stock import assert_same, run, sample

seeds = st.integers(0, 2**32 - 1)
Labels = NDArray[np.uint8]


def crop(size: int | tuple[int, int], **options: Any) -> Any:
    return TRANSFORMS.build(
        dict(type='SparseRandomCrop', crop_size=size, **options)
    )


def points(shape: tuple[int, int], *spots: tuple[int, int, int]) -> Labels:
    labels = np.full(shape, 255, np.uint8)
    for y, x, value in spots:
        labels[y, x] = value
    return labels


def boxes(
    transform: Any, labels: Labels, times: int, seed: int = 0
) -> list[tuple[int, int]]:
    """Where the crops of one map begin."""
    np.random.seed(seed)  # noqa: NPY002
    results = dict(img=np.zeros((*labels.shape, 3)), gt_seg_map=labels)
    found = [transform.crop_bbox(results) for _ in range(times)]
    return [(top, left) for top, _, left, _ in found]


def classes(labels: Labels, top: int, left: int, size: int) -> set[int]:
    seen = labels[top : top + size, left : left + size]
    return set(seen[seen != 255].tolist())


@pytest.mark.parametrize('kind', ['dense', 'void'])
@pytest.mark.parametrize(
    'options',
    [
        dict(crop_size=(40, 50)),
        dict(crop_size=30, cat_max_ratio=0.5),
        dict(crop_size=(200, 50)),
        dict(crop_size=3, cat_max_ratio=0.75),
    ],
)
def test_dense_maps_are_cropped_as_stock(
    kind: str, options: dict[str, Any]
) -> None:
    for seed in range(10):
        wanted = run(dict(type='RandomCrop', **options), kind, seed)
        found = run(dict(type='SparseRandomCrop', **options), kind, seed)
        assert_same(found, wanted)


def test_the_first_crop_is_the_stock_one_if_it_will_do() -> None:
    config = dict(crop_size=60)
    for seed in range(10):  # 1 % are labelled: some 36 of five classes
        wanted = run(dict(type='RandomCrop', **config), 'points', seed)
        found = run(dict(type='SparseRandomCrop', **config), 'points', seed)
        assert_same(found, wanted)


def test_maps_without_labels_are_cropped_anywhere() -> None:
    labels = points((30, 40))
    places = Counter(boxes(crop(27), labels, 2000))
    assert len(places) == 4 * 14
    for options in (dict(), dict(cat_max_ratio=0.5)):
        results = dict(img=np.zeros((30, 40, 3)), seg_fields=[])
        assert crop(27, **options)(results)['img'].shape == (27, 27, 3)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seeds, st.integers(1, 3))
def test_a_crop_has_a_label_if_the_map_has_one(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 200, 2))
    size = tuple(rng.integers(1, 60, 2).tolist())
    labels = np.full(shape, 255, np.uint8)
    for _ in range(count):
        labels[rng.integers(shape[0]), rng.integers(shape[1])] = 3
    if (labels != 255).mean() >= 0.5:  # a dense map of a few pixels
        return
    results = dict(img=np.zeros((*shape, 3), np.uint8), gt_seg_map=labels,
                   seg_fields=['gt_seg_map'])  # fmt: skip
    np.random.seed(seed)  # noqa: NPY002
    found = crop(size)(results)
    assert 3 in found['gt_seg_map']
    assert found['img_shape'] == found['gt_seg_map'].shape
    assert found['img_shape'] == tuple(np.minimum(shape, size))


def test_crops_of_several_classes_are_found() -> None:
    # Only one place in 160 shows both; one in 13 shows a label.
    labels = points((300, 300), (40, 40, 1), (55, 58, 2), (250, 200, 1))
    size = 32
    every = [(y, x) for y in range(269) for x in range(269)]
    shown = [len(classes(labels, y, x, size)) for y, x in every]
    assert shown.count(2) / len(every) < 0.007
    assert 0.02 < 1 - shown.count(0) / len(every) < 0.08
    found = Counter(
        len(classes(labels, *place, size))
        for place in boxes(crop(size), labels, 500)
    )
    assert found[0] == 0
    # Ten draws among places with a label, a fifth of which show both.
    share = shown.count(2) / (shown.count(1) + shown.count(2))
    assert found[2] / 500 == pytest.approx(1 - (1 - share) ** 10, abs=0.05)


def test_places_that_show_what_is_wanted_are_equally_likely() -> None:
    labels = points((24, 30), (10, 8, 1), (13, 12, 2), (2, 25, 1))
    size, times = 9, 6000
    wanted = {
        (y, x)
        for y in range(16)
        for x in range(22)
        if len(classes(labels, y, x, size)) == 2
    }
    assert len(wanted) == 30
    found = Counter(boxes(crop(size), labels, times))
    inside = sum(found[place] for place in wanted)
    assert inside > 0.9 * times
    mean = inside / len(wanted)
    worst = max(abs(found[place] - mean) for place in wanted)
    assert worst < 4.5 * mean**0.5
    # And so are those with a label, where no crop shows two classes.
    labels = points((24, 30), (10, 8, 1), (11, 25, 1))
    found = Counter(boxes(crop(size), labels, times))
    assert len(found) == 9 * 9 + 9 * 5
    mean = times / len(found)
    assert max(abs(n - mean) for n in found.values()) < 4.5 * mean**0.5


def test_one_place_with_both_classes_is_not_forced_on_every_sample() -> None:
    labels = points((60, 60), (20, 20, 1), (30, 30, 2))
    found = Counter(boxes(crop(11), labels, 500))
    assert 1 <= found[20, 20] < 60
    assert len(found) > 150


def test_cat_max_ratio_counts_labelled_pixels_alone() -> None:
    labels = points((20, 60), (10, 5, 1), (10, 50, 2))
    labels[5, 40:58] = 1
    labels[14, 2:7] = 2
    # Two classes to the left and to the right, one less unequal.
    found = boxes(crop(18, cat_max_ratio=0.9), labels, 200)
    shares = []
    for top, left in found:
        seen = labels[top : top + 18, left : left + 18]
        count = np.bincount(seen[seen != 255])
        shares.append(count.max() / count.sum())
    assert np.mean(np.array(shares) < 0.9) > 0.9
    plain = boxes(crop(18), labels, 200)
    assert np.mean([left > 20 for _, left in plain]) > 0.5
    assert np.mean([left > 20 for _, left in found]) < 0.5


def test_nothing_but_the_label_map_decides() -> None:
    labels = points((90, 120), (10, 8, 1), (70, 112, 2))
    found = []
    for seed in range(2):
        results = sample('dense', seed)
        results['gt_depth_map'] = results['gt_seg_map']
        results.update(gt_seg_map=labels, gt_label=[seed])
        results['seg_fields'] = ['gt_depth_map', 'gt_seg_map']
        np.random.seed(1)  # noqa: NPY002
        out = crop(20)(results)
        assert out['gt_depth_map'].shape == (20, 20)
        found.append(out['gt_seg_map'])
    np.testing.assert_array_equal(*found)


def test_randomness_can_be_cached_as_in_stock() -> None:
    transform = crop(20)
    results = dict(img=np.zeros((90, 120, 3)),
                   gt_seg_map=points((90, 120), (10, 8, 1)))  # fmt: skip
    with cache_random_params(transform):
        found = {transform.crop_bbox(results) for _ in range(5)}
    assert len(found) == 1


def test_errors_name_the_file_and_the_argument() -> None:
    results = dict(img=np.zeros((9, 8, 3)), gt_seg_map=points((8, 9)),
                   seg_map_path='a/b.png')  # fmt: skip
    with pytest.raises(ValueError, match=r'a/b.png.* \(8, 9\).* \(9, 8\)'):
        crop(4)(results)
    with pytest.raises(ValueError, match=r'dense_from .* got -1'):
        crop(4, dense_from=-1)
