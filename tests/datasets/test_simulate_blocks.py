"""Simulated blocks: shape, share, place."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmseg_sparse.datasets.simulate import simulate_blocks
from mmseg_sparse.datasets.simulate.blocks import _Reach

from .masks import blobs, masks


@given(
    labels=masks(),
    seed=st.integers(0, 99),
    share=st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0]) | st.floats(0, 1),
    sizes=st.sampled_from([(1, 1), (2, 5), (4, 64)]),
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_blocks_cover_the_share_and_nothing_else(
    labels: np.ndarray, seed: int, share: float, sizes: tuple[int, int]
) -> None:
    before = labels.copy()
    blocks = simulate_blocks(
        labels,
        seed=seed,
        share=share,
        min_size=sizes[0],
        max_size=sizes[1],
    )
    assert np.array_equal(labels, before)
    known = blocks != 255
    assert np.array_equal(blocks[known], labels[known])
    wanted = share * (labels != 255).sum()
    assert wanted - 1 < known.sum() <= wanted + 1e-6


@pytest.mark.parametrize('size', [1, 2, 7, 64])
@pytest.mark.parametrize('seed', [0, 1])
def test_a_block_is_the_largest_rectangle(size: int, seed: int) -> None:
    """Against a search of all rectangles around the place."""
    rng = np.random.default_rng(seed)
    labels = blobs(seed, (14, 19))
    labels[rng.random(labels.shape) < 0.02] = 4
    reach = _Reach(labels, size)
    height, width = labels.shape
    for place in rng.choice(labels.size, 12, replace=False).tolist():
        y, x = divmod(place, width)
        best = 0
        for top in range(max(0, y - size + 1), y + 1):
            for bottom in range(y + 1, min(height, top + size) + 1):
                for left in range(max(0, x - size + 1), x + 1):
                    for right in range(x + 1, min(width, left + size) + 1):
                        window = labels[top:bottom, left:right]
                        if window.size > best and np.ptp(window) == 0:
                            best = window.size
        top, left, bottom, right = reach.block(y, x)
        assert top <= y < bottom <= height
        assert left <= x < right <= width
        assert max(bottom - top, right - left) <= size
        window = labels[top:bottom, left:right]
        assert np.ptp(window) == 0
        assert window.size == best


def test_blocks_have_the_least_size_where_there_is_room() -> None:
    labels = np.zeros((60, 100), np.uint8)
    labels[::6] = 1  # lines one pixel wide between bars of five
    blocks = simulate_blocks(labels, seed=0, share=0.3, min_size=4)
    assert not (blocks == 1).any()
    assert (blocks == 0).any()
    # All of the bars, and the rest from the lines.
    blocks = simulate_blocks(labels, seed=0, share=0.9, min_size=4)
    assert np.array_equal(blocks == 0, labels == 0)
    assert 0 < (blocks == 1).sum() < (labels == 1).sum()


def test_blocks_lie_around_places_drawn_uniformly() -> None:
    labels = np.zeros((200, 200), np.uint8)
    count = np.zeros(labels.shape)
    for seed in range(200):
        blocks = simulate_blocks(labels, seed=seed, share=0.1, max_size=9)
        count += blocks == 0
    quarters = count.reshape(2, 100, 2, 100).mean((1, 3)) / 200
    assert quarters == pytest.approx(0.1, abs=0.01)
    # The block's middle is the place, not one of its corners.
    labels = np.zeros((99, 99), np.uint8)
    assert _Reach(labels, 9).block(50, 40) == (46, 36, 55, 45)


def test_classes_get_what_they_have_of_the_image(data_root: Path) -> None:
    had, got = np.zeros(11), np.zeros(11)
    paths = sorted((data_root / 'camvid' / 'masks' / 'train').glob('*.png'))
    for path in paths[::30]:
        labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        blocks = simulate_blocks(labels, seed=0, image_id=path.stem, share=0.2)
        had += np.bincount(labels.ravel(), minlength=256)[:11]
        got += np.bincount(blocks.ravel(), minlength=256)[:11]
    share = got / had
    assert got.sum() / had.sum() == pytest.approx(0.2, abs=1e-4)
    assert (share > 0).all()
    large = had > 0.03 * had.sum()
    assert share[large] == pytest.approx(0.2, abs=0.12)


def test_blocks_are_a_function_of_seed_and_image() -> None:
    labels = blobs()

    def draw(seed: int, name: str) -> bytes:
        return simulate_blocks(labels, seed=seed, image_id=name).tobytes()

    first = draw(0, 'a')
    assert draw(1, 'a') != first != draw(0, 'b')
    assert draw(0, 'a') == first


def test_bad_arguments_are_named() -> None:
    labels = blobs()
    for message, options in (
        ('share must lie .* got 10', dict(share=10)),
        ('min_size <= max_size, got 0 and 64', dict(min_size=0)),
        ('min_size <= max_size, got 4 and 3', dict(max_size=3)),
        ('seed must be at least 0, got -1', dict(seed=-1)),
    ):
        with pytest.raises(ValueError, match=message):
            simulate_blocks(labels, **{'seed': 0, **options})
