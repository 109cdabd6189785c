"""Simulated labels are the same pixels on every build of OpenCV."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from scipy import ndimage

from mmseg_sparse.labels.simulate import (
    drop_scribbles,
    shrink_scribbles,
    simulate_blocks,
    simulate_points,
    simulate_scribbles,
    toy,
)
from mmseg_sparse.labels.simulate.regions import find_regions, inner_depth

from ...helpers.masks import blobs

#: Old experiments can be repeated as long as these stay. Where they must
#: change, toy.VERSION is counted up, too. docs/datasets.md has checksums of
#: the labels that are simulated for CamVid.
SIMULATED: dict[str, tuple[Callable[..., Any], dict[str, Any], str]] = {
    'scribbles': (simulate_scribbles, {}, '4e7d4d579a714112'),
    'straight': (
        simulate_scribbles,
        dict(jitter=0, thickness=2),
        'edbd7eab5cacaaa5',
    ),
    'central': (simulate_points, dict(per_region=3), 'b9227ca8f3ce4784'),
    'uniform': (
        simulate_points,
        dict(per_region=3, placement='uniform', min_area=1),
        '06a024d5fa3aebce',
    ),
    'blocks': (simulate_blocks, dict(share=0.2), 'bfa77f114da4cb46'),
}
REDUCED: dict[str, tuple[Callable[..., Any], dict[str, Any], str]] = {
    'spots': (shrink_scribbles, dict(ratio=0), '7debe747233e461b'),
    'shrunk': (shrink_scribbles, dict(ratio=0.3), 'd47d33e61d99022b'),
    'dropped': (drop_scribbles, dict(ratio=0.5), '84875027cfe41fd6'),
}
MASKS = '6d725324e5ff4cfb'
STROKES = '7c1e22e85cb794b4'
TOY = '6899d6c56a802c85'


@pytest.fixture(params=[True, False], ids=['ipp', 'no-ipp'])
def ipp(request: pytest.FixtureRequest) -> Iterator[bool]:
    """OpenCV with Intel's routines, where it has them, and without.

    In one thread, as in a data loader: in several, some are not used.
    """
    before = cv2.ipp.useIPP(), cv2.getNumThreads()
    cv2.ipp.setUseIPP(request.param)
    cv2.setNumThreads(1)
    yield request.param
    cv2.ipp.setUseIPP(before[0])
    cv2.setNumThreads(before[1])


def digest(maps: list[np.ndarray]) -> str:
    whole = hashlib.sha256()
    for one in maps:
        whole.update(f'{one.shape} {one.dtype}'.encode())
        whole.update(np.ascontiguousarray(one).tobytes())
    return whole.hexdigest()[:16]


def dense() -> list[np.ndarray]:
    return [blobs(i, (90 + 17 * i, 141 + 30 * i)) for i in range(8)]


def strokes() -> list[np.ndarray]:
    """Lines at all angles, crossings, rings and blots, drawn by hand."""
    maps = []
    for number in range(4):
        labels = np.full((97, 131), 255, np.uint8)
        for value in range(6):
            start = (9 + 17 * value, 11 + 5 * number)
            end = (121 - 13 * value - 3 * number, 88 - 7 * value)
            cv2.line(labels, start, end, value, 1 + value % 4)
        cv2.circle(labels, (100, 70), 9 + 2 * number, 6, 2)
        cv2.circle(labels, (30, 70), 4 + number, 7, -1)
        maps.append(labels)
    return maps


def test_the_inputs_are_as_ever() -> None:
    assert digest(dense()) == MASKS
    assert digest(strokes()) == STROKES


@pytest.mark.parametrize('case', SIMULATED)
def test_simulated_labels(ipp: bool, case: str) -> None:
    function, options, wanted = SIMULATED[case]
    made = [
        function(mask, seed=5, image_id=f'image_{i}', **options)
        for i, mask in enumerate(dense())
    ]
    assert digest(made) == wanted


@pytest.mark.parametrize('case', REDUCED)
def test_reduced_strokes(ipp: bool, case: str) -> None:
    function, options, wanted = REDUCED[case]
    made = [
        function(labels, seed=5, image_id=f'image_{i}', **options)
        for i, labels in enumerate(strokes())
    ]
    assert digest(made) == wanted


def test_toy_strokes(ipp: bool) -> None:
    samples = [toy.toy_sample('train', number) for number in range(30)]
    maps = [one for _, mask, drawn in samples for one in (mask, drawn)]
    assert (toy.VERSION, digest(maps)) == (3, TOY)


def test_depth_is_the_exact_distance(ipp: bool) -> None:
    # Large: builds of OpenCV differ in the last bits of long distances.
    labels = np.full((225, 338), 255, np.uint8)
    labels[2:223, 3:330] = 1
    labels[99, 160] = 255
    depth = inner_depth(find_regions(labels))
    inside = labels == 1
    border = inside & ~ndimage.binary_erosion(inside)
    nearest = ndimage.distance_transform_edt(
        ~border, return_distances=False, return_indices=True
    )
    square = ((nearest - np.indices(labels.shape)) ** 2).sum(0)
    wanted = np.sqrt(square).astype(np.float32) + 1
    assert np.array_equal(depth[inside], wanted[inside])
    assert (depth[~inside] == 0).all()
