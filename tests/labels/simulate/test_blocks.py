"""Simulated blocks: shape, share, place."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from mmseg_sparse.labels.simulate import simulate_blocks
from mmseg_sparse.labels.simulate.blocks import _Reach, _roomy

from ...helpers.masks import blobs, masks


@given(
    labels=masks(),
    seed=st.integers(0, 99),
    share=st.sampled_from([0.0, 0.1, 0.2, 0.5, 1.0]) | st.floats(0, 1),
    sizes=st.sampled_from([(1, 1), (2, 5), (4, 64)]),
)
@settings(max_examples=50, deadline=None, derandomize=True)
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
    for value in np.unique(labels[labels != 255]):
        wanted = share * (labels == value).sum()
        assert abs((blocks == value).sum() - wanted) < 1 + 1e-6


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
    labels = np.full((60, 100), 255, np.uint8)
    labels[10:40, :60] = 0  # 1800 pixels, and a tail of 200
    labels[10:15, 60:] = 0
    labels[11:15, 61:] = 255
    labels[45:48, :60] = 1  # nowhere 4 wide
    tail = np.zeros(labels.shape, bool)
    tail[10:, 60:] = labels[10:, 60:] == 0
    for seed in range(10):
        blocks = simulate_blocks(labels, seed=seed, share=0.3, min_size=4)
        assert not (blocks[tail] == 0).any()
        assert (blocks == 1).sum() == 54
        # All of the wide part, and what is missing from the tail.
        blocks = simulate_blocks(labels, seed=seed, share=0.99, min_size=4)
        assert (blocks[:, :60][labels[:, :60] == 0] == 0).all()
        assert 0 < (blocks[tail] == 0).sum() < tail.sum()


def test_long_thin_blocks_are_passed_over() -> None:
    labels = np.full((20, 80), 255, np.uint8)
    labels[5:11, 5:11] = 0  # 36 pixels, and a tail through it of 58 more
    labels[7, 11:69] = 0
    for seed in range(30):
        blocks = simulate_blocks(labels, seed=seed, share=0.1, min_size=4)
        assert (blocks[:, :11] == 0).sum() == 9


@pytest.mark.parametrize('size', [1, 3, 4])
def test_roomy_pixels_are_those_of_an_opening(size: int) -> None:
    labels = blobs(2)
    labels[::9] = 3
    roomy = _roomy(labels, size) > 0
    for value in range(5):
        expected = ndimage.binary_opening(
            labels == value, np.ones((size, size))
        )
        assert np.array_equal(roomy & (labels == value), expected)


def test_the_last_block_is_cut_around_its_place() -> None:
    labels = np.zeros((100, 100), np.uint8)
    for seed in range(10):
        blocks = simulate_blocks(labels, seed=seed, share=0.01)
        rows, columns = np.nonzero(blocks == 0)
        assert len(rows) == 100
        # As wide to high as the block of at most 64x64 was, or less so.
        assert np.ptp(rows) < 20
        assert np.ptp(columns) < 20


def test_blocks_lie_around_places_drawn_uniformly() -> None:
    labels = np.zeros((100, 100), np.uint8)
    count = np.zeros(labels.shape)
    for seed in range(80):
        blocks = simulate_blocks(labels, seed=seed, share=0.1, max_size=9)
        count += blocks == 0
    quarters = count.reshape(2, 50, 2, 50).mean((1, 3)) / 80
    assert quarters == pytest.approx(0.1, abs=0.015)
    # The block's middle is the place, not one of its corners.
    labels = np.zeros((99, 99), np.uint8)
    assert _Reach(labels, 9).block(50, 40) == (46, 36, 55, 45)


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
