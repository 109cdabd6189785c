"""Label maps made smaller and larger: what stays, where, how wide."""

import mmcv
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from mmseg_sparse.datasets import resize_labels
from tests.reference.sparse_resize import resize as literal_resize

EIGHT = np.ones((3, 3))
Labels = NDArray[np.uint8]
checked = settings(max_examples=60, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
factors = st.floats(0.3, 2.0)
backends = st.sampled_from(['cv2', 'pillow'])


def empty(height: int, width: int) -> Labels:
    return np.full((height, width), 255, np.uint8)


def scattered(seed: int, share: float) -> Labels:
    """A map of some size with labels anywhere and a line across."""
    rng = np.random.default_rng(seed)
    labels = empty(*rng.integers(1, 40, 2))
    row, width = rng.integers(labels.shape[0]), rng.integers(1, 4)
    known = rng.random(labels.shape) < share
    labels[known] = rng.integers(0, 3, known.sum())
    labels[row : row + width, : labels.shape[1] // 2] = 1
    return labels


def walk(seed: int, height: int, width: int) -> Labels:
    """A wandering line, one pixel wide, without a gap."""
    rng = np.random.default_rng(seed)
    steps = np.cumsum(rng.integers(-1, 2, (120, 2)), axis=0)
    steps = np.clip(steps + (height // 2, width // 2), 0, None)
    labels = empty(height, width)
    y, x = np.minimum(steps, (height - 1, width - 1)).T
    labels[y, x] = 4
    return labels


def nearest(labels: Labels, size: tuple[int, int], backend: str) -> Labels:
    return mmcv.imresize(
        labels, size, interpolation='nearest', backend=backend
    )


def size_of(labels: Labels, fx: float, fy: float) -> tuple[int, int]:
    height, width = labels.shape
    return max(1, int(width * fx)), max(1, int(height * fy))


@checked
@given(seeds, factors, factors, st.sampled_from([0.01, 0.05, 0.3]), backends)
def test_equals_the_rule_taken_literally(
    seed: int, fx: float, fy: float, share: float, backend: str
) -> None:
    labels = scattered(seed, share)
    before = labels.copy()
    size = size_of(labels, fx, fy)
    found = resize_labels(labels, size, backend=backend, dense_from=1.0)
    wanted = nearest(labels, size, backend)
    if (labels == 255).any():
        wanted = literal_resize(labels, *size, backend)
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(labels, before)


@checked
@given(seeds, factors, factors, backends)
def test_every_point_is_there_at_its_place(
    seed: int, fx: float, fy: float, backend: str
) -> None:
    rng = np.random.default_rng(seed)
    labels = empty(*rng.integers(1, 90, 2))
    for _ in range(40):
        y, x = rng.integers(labels.shape)
        labels[y, x] = rng.integers(0, 11)
    width, height = size_of(labels, fx, fy)
    found = resize_labels(
        labels, (width, height), backend=backend, dense_from=1.0
    )
    clicks = np.argwhere(labels != 255)
    for y, x in clicks:
        row = int((y + 0.5) * height / labels.shape[0])
        col = int((x + 0.5) * width / labels.shape[1])
        near = found[max(row - 1, 0) : row + 2, max(col - 1, 0) : col + 2]
        if labels[y, x] not in near:
            # Another class, less than a pixel away, has its place.
            apart = np.abs(clicks - (y, x)) * (height, width) / labels.shape
            rivals = labels[tuple(clicks[(apart < 1).all(1)].T)]
            assert (rivals != labels[y, x]).any()
    # Nothing is moved, removed or made up.
    stock = nearest(labels, (width, height), backend)
    assert (found[stock != 255] == stock[stock != 255]).all()
    assert set(np.unique(found)) <= set(np.unique(labels)) | {255}


@checked
@given(seeds, st.floats(0.3, 1.0), st.floats(0.3, 1.0))
def test_points_apart_stay_as_many(seed: int, fx: float, fy: float) -> None:
    rng = np.random.default_rng(seed)
    labels = empty(90, 120)
    spots = [(y, x) for y in range(4, 90, 9) for x in range(4, 120, 9)]
    for y, x in spots:
        labels[y + rng.integers(-2, 3), x + rng.integers(-2, 3)] = 7
    found = resize_labels(labels, size_of(labels, fx, fy))
    # More than a pixel apart: each has one pixel, for itself.
    assert (found == 7).sum() == len(spots)


@pytest.mark.parametrize('offset', [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_by_hand_at_half_size(offset: tuple[int, int]) -> None:
    labels = empty(8, 8)
    labels[2 + offset[0], 4 + offset[1]] = 3
    found = resize_labels(labels, (4, 4))
    assert np.argwhere(found == 3).tolist() == [[1, 2]]
    assert (nearest(labels, (4, 4), 'cv2') == 3).any() == (offset == (0, 0))


def test_the_sampled_class_wins_and_then_the_nearest() -> None:
    labels = empty(8, 8)
    labels[0, 0], labels[1, 1] = 1, 2  # (0, 0) is sampled
    assert resize_labels(labels, (4, 4))[0, 0] == 1
    labels = empty(9, 9)
    labels[1, 1], labels[2, 2], labels[1, 2] = 5, 6, 7  # none is sampled
    assert resize_labels(labels, (3, 3))[0, 0] == 5
    labels = empty(8, 8)
    labels[0, 1], labels[1, 0] = 8, 9  # as near: the first as one reads
    assert resize_labels(labels, (4, 4))[0, 0] == 8


@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
def test_enlarging_makes_squares_of_points(backend: str) -> None:
    labels = empty(12, 10)
    labels[3, 4], labels[11, 9] = 1, 2
    found = resize_labels(labels, (20, 36), backend=backend)
    assert (found == 1).sum() == (found == 2).sum() == 6
    # One axis longer, the other shorter: a row of pixels.
    found = resize_labels(labels, (20, 6), backend=backend)
    assert np.argwhere(found == 1).tolist() == [[1, 8], [1, 9]]


@checked
@given(seeds, st.floats(0.3, 1.0), st.floats(0.3, 1.0))
def test_thin_lines_do_not_break(seed: int, fx: float, fy: float) -> None:
    labels = walk(seed, 70, 90)
    found = resize_labels(labels, size_of(labels, fx, fy))
    assert ndimage.label(found == 4, EIGHT)[1] == 1


@checked
@given(st.integers(1, 9), st.integers(0, 20), st.floats(0.3, 1.0))
def test_strokes_are_as_wide_as_sampled_or_one(
    width: int, top: int, factor: float
) -> None:
    labels = empty(60, 50)
    labels[10 + top : 10 + top + width, 5:45] = 2
    size = size_of(labels, factor, factor)
    found = resize_labels(labels, size) == 2
    stock = nearest(labels, size, 'cv2') == 2
    across = found.sum(0)[found.any(0)]
    assert (across == max(1, stock.sum(0).max())).all()
    assert abs(across[0] - width * size[1] / 60) < 1
    assert abs(found.any(0).sum() - 40 * factor) < 2


def test_dense_maps_are_as_stock_void_and_all(data_root) -> None:
    paths = sorted((data_root / 'camvid' / 'masks' / 'train').glob('*.png'))
    void = 0
    for path in paths[::20]:
        labels = np.asarray(Image.open(path))
        void += (labels == 255).sum()
        for size in ((240, 180), (361, 271), (150, 300), (700, 500)):
            for backend in ('cv2', 'pillow'):
                np.testing.assert_array_equal(
                    resize_labels(labels, size, backend=backend),
                    nearest(labels, size, backend),
                )
    assert void > 10_000


def test_dense_from_tells_void_from_no_label() -> None:
    labels = np.zeros((20, 20), np.uint8)
    labels[:11] = 255
    labels[5, 5] = 1  # an island in void, or a click
    assert 1 in resize_labels(labels, (10, 10))
    assert 1 not in resize_labels(labels, (10, 10), dense_from=0.4)


def test_maps_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r'\(H, W\), got shapes \(4, 4, 3\)'):
        resize_labels(np.zeros((4, 4, 3), np.uint8), (2, 2))


def test_pseudo_labels_are_as_stock_however_few_they_are() -> None:
    labels = np.full((20, 20), 255, np.uint8)
    labels[6, 6] = labels[11, 2] = 1  # between the rows that are sampled
    found = resize_labels(labels, (7, 7), supervision='pseudo')
    np.testing.assert_array_equal(found, nearest(labels, (7, 7), 'cv2'))
    assert not np.array_equal(found, resize_labels(labels, (7, 7)))
