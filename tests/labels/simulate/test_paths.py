"""Regions, their depth, skeletons and longest paths."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from scipy import ndimage

from mmseg_sparse.labels.simulate.paths import (
    longest_path,
    longest_paths,
    thin,
)
from mmseg_sparse.labels.simulate.regions import find_regions, inner_depth

from ...helpers.masks import EIGHT, blobs, components, masks

SETTINGS = settings(max_examples=80, deadline=None, derandomize=True)


@given(masks())
@SETTINGS
def test_regions_are_those_found_class_by_class(labels: np.ndarray) -> None:
    regions = find_regions(labels)
    expected = {
        int(np.flatnonzero(inside)[0]): (value, inside)
        for value, inside in components(labels)
    }
    assert len(regions) == len(expected)
    assert np.array_equal(regions.index < 0, labels == 255)
    for number, first in enumerate(sorted(expected)):
        value, inside = expected[first]
        assert np.array_equal(regions.index == number, inside)
        assert regions.values[number] == value
        assert regions.areas[number] == inside.sum()
        rows, columns = np.flatnonzero(inside.any(1)), inside.any(0)
        columns = np.flatnonzero(columns)
        assert (
            regions.window(number)
            == np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        )


def test_void_has_any_number() -> None:
    labels = np.array([[0, 0, 7], [255, 7, 7]], np.uint8)
    regions = find_regions(labels, ignore_index=7)
    assert regions.values.tolist() == [0, 255]
    assert regions.index.tolist() == [[0, 0, -1], [1, -1, -1]]
    assert len(find_regions(np.zeros((0, 5), np.uint8))) == 0


@given(masks())
@SETTINGS
def test_depth_is_the_distance_out_of_the_region(labels: np.ndarray) -> None:
    depth = inner_depth(find_regions(labels))
    assert (depth[labels == 255] == 0).all()
    for _, inside in components(labels):
        expected = ndimage.distance_transform_edt(np.pad(inside, 1))
        expected = expected[1:-1, 1:-1][inside]
        assert np.abs(depth[inside] - expected).max() < 1
        # Same border: there, and only there, the depth is 1.
        assert np.array_equal(depth[inside] == 1, expected == 1)


@pytest.mark.parametrize('seed', range(3))
def test_thinning_keeps_every_region_connected(seed: int) -> None:
    region = blobs(seed) == 2
    skeleton = thin(region.astype(np.uint8))
    assert not (skeleton & ~region).any()
    index, count = ndimage.label(region, EIGHT)
    assert ndimage.label(skeleton, EIGHT)[1] == count
    assert set(index[skeleton]) == set(range(1, count + 1))
    # One pixel wide: no 2x2 square is left.
    square = ndimage.minimum_filter(
        skeleton.astype(np.uint8), footprint=np.ones((2, 2))
    )
    assert square[1:, 1:].sum() == 0


@given(masks())
@SETTINGS
def test_each_path_runs_through_its_region(labels: np.ndarray) -> None:
    regions = find_regions(labels)
    every = np.arange(len(regions))
    paths = longest_paths(
        regions, every, inner_depth(regions), thinning_depth=np.inf
    )
    assert len(paths.offsets) == len(regions) + 1
    for number in every:
        path = paths[number]
        y, x = path.astype(int).T
        assert len(path) >= 1
        assert (path == np.stack([y, x], 1)).all()
        assert (regions.index[y, x] == number).all()
        assert (np.abs(np.diff(path, axis=0)).max(1) == 1).all()


def test_paths_of_many_regions_are_those_of_each() -> None:
    regions = find_regions(blobs(1))
    depth = inner_depth(regions)
    chosen = np.flatnonzero(regions.areas > 30)[::-2]
    assert len(chosen) > 3
    together = longest_paths(regions, chosen, depth)
    for place, number in enumerate(chosen.tolist()):
        alone = longest_paths(regions, np.array([number]), depth)[0]
        assert np.array_equal(together[place], alone)


def test_path_follows_the_longer_arm() -> None:
    region = np.zeros((50, 300), np.uint8)
    cv2.line(region, (10, 25), (290, 25), 1, 7)
    cv2.line(region, (150, 25), (150, 45), 1, 7)  # a side arm
    path = longest_path(region > 0)
    assert np.ptp(path[:, 1]) > 260
    assert path[:, 0].max() < 35


def test_large_regions_have_the_path_of_full_resolution() -> None:
    region = np.zeros((400, 600), np.uint8)
    cv2.ellipse(region, (300, 320), (220, 220), 0, 180, 360, 1, 90)
    regions = find_regions(np.where(region, np.uint8(0), np.uint8(255)))
    depth = inner_depth(regions)
    assert depth.max() > 40
    coarse = longest_paths(regions, np.array([0]), depth)[0]
    fine = longest_paths(regions, np.array([0]), depth, thinning_depth=np.inf)[
        0
    ]
    assert len(coarse) < len(fine) / 2

    def length(path: np.ndarray) -> float:
        return float(np.hypot(*np.diff(path, axis=0).T).sum())

    assert length(coarse) == pytest.approx(length(fine), rel=0.15)
    gap = np.hypot(*(coarse[:, None] - fine).transpose(2, 0, 1)).min(1)
    assert np.median(gap) < 4


@pytest.mark.parametrize('shape', [(1, 1), (2, 2), (1, 9), (9, 2)])
def test_tiny_regions_have_a_path(shape: tuple[int, int]) -> None:
    path = longest_path(np.ones(shape, bool))
    assert len(path) >= 1
    assert (path >= 0).all()
    assert (path <= np.array(shape) - 1).all()


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match='no pixel'):
        longest_path(np.zeros((3, 3), bool))
    with pytest.raises(TypeError, match='uint8, got int64'):
        find_regions(np.zeros((3, 3), np.int64))
    with pytest.raises(ValueError, match=r'\(3, 3, 1\)'):
        find_regions(np.zeros((3, 3, 1), np.uint8))
