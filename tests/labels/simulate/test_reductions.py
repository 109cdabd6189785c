"""Existing strokes, shortened and dropped."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmseg_sparse.labels.simulate import (
    drop_scribbles,
    shrink_scribbles,
    simulate_scribbles,
)

from ...helpers.masks import blobs, components, is_connected, masks

SETTINGS = settings(max_examples=80, deadline=None, derandomize=True)


@given(
    labels=masks(),
    seed=st.integers(0, 99),
    ratios=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
@SETTINGS
def test_smaller_ratios_keep_a_connected_part_of_what_larger_keep(
    labels: np.ndarray, seed: int, ratios: tuple[float, float]
) -> None:
    before = labels.copy()
    short, long = (
        shrink_scribbles(labels, seed=seed, ratio=ratio)
        for ratio in sorted(ratios)
    )
    assert np.array_equal(labels, before)
    for kept, whole in ((short, long), (long, labels)):
        known = kept != 255
        assert np.array_equal(kept[known], whole[known])
    for _, stroke in components(labels):
        assert is_connected((short != 255) & stroke)
        assert is_connected((long != 255) & stroke)


@given(masks())
@SETTINGS
def test_ratio_one_changes_nothing(labels: np.ndarray) -> None:
    for result in (
        shrink_scribbles(labels, seed=3, ratio=1),
        # Not the short cut for 1.
        shrink_scribbles(labels, seed=3, ratio=1 - 1e-12),
        drop_scribbles(labels, seed=3, ratio=0),
    ):
        assert np.array_equal(result, labels)
        assert result is not labels


def line(thickness: int) -> np.ndarray:
    labels = np.full((30, 240), 255, np.uint8)
    labels[10 : 10 + thickness, 20:220] = 6
    return labels


@pytest.mark.parametrize('thickness', [1, 3, 5])
def test_ratio_zero_leaves_a_spot_as_wide_as_the_stroke(
    thickness: int,
) -> None:
    places = []
    for seed in range(40):
        spot = shrink_scribbles(line(thickness), seed=seed, ratio=0) == 6
        rows, columns = np.nonzero(spot)
        assert len(set(rows)) == len(set(columns)) == thickness
        places.append(np.median(columns))
    # Anywhere along the stroke.
    assert min(places) < 50
    assert max(places) > 190
    assert np.mean(places) == pytest.approx(120, abs=35)


def test_ratio_is_the_share_of_the_length() -> None:
    for ratio in (0.1, 0.3, 0.5, 0.9):
        for seed in range(5):
            kept = shrink_scribbles(line(3), seed=seed, ratio=ratio) == 6
            assert kept.sum() / 600 == pytest.approx(ratio, abs=0.02)
            columns = np.flatnonzero(kept.any(0))
            assert np.ptp(columns) + 1 == len(columns)


def test_length_is_measured_along_a_winding_stroke() -> None:
    labels = np.full((100, 100), 255, np.uint8)
    zigzag = [(5, 5), (90, 5), (90, 15), (5, 15), (5, 25), (90, 25)]
    cv2.polylines(labels, [np.array(zigzag)], False, 2, 3)
    kept = shrink_scribbles(labels, seed=1, ratio=0.5) == 2
    assert is_connected(kept)
    assert kept.sum() / (labels == 2).sum() == pytest.approx(0.5, abs=0.05)


def test_strokes_that_touch_are_cut_apart_by_class() -> None:
    labels = line(3)
    labels[13:16, 20:220] = 1  # right below
    for seed in range(10):
        kept = shrink_scribbles(labels, seed=seed, ratio=0.25)
        for value in (1, 6):
            assert (kept == value).sum() == pytest.approx(150, abs=9)


def test_whole_shares_of_real_strokes(data_root: Path) -> None:
    folder = data_root / 'camvid' / 'scribbles' / 'train'
    path = sorted(folder.glob('*.png'))[7]
    strokes = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    total = (strokes != 255).sum()
    for ratio in (0.1, 0.3, 0.5, 0.8):
        kept = shrink_scribbles(strokes, seed=0, ratio=ratio) != 255
        # Short strokes keep at least their spot.
        assert ratio - 0.03 < kept.sum() / total < ratio + 0.1
        assert len(components(strokes)) == len(
            components(np.where(kept, strokes, 255))
        )


def test_drop_takes_that_share_of_whole_strokes() -> None:
    dropped = every = 0
    for seed in range(40):
        strokes = simulate_scribbles(blobs(seed), seed=seed)
        some = drop_scribbles(strokes, seed=seed, ratio=0.3)
        most = drop_scribbles(strokes, seed=seed, ratio=0.8)
        for value, stroke in components(strokes):
            left = set(some[stroke].tolist())
            assert left in ({value}, {255})
            assert left == {255} or 255 not in left
            dropped += left == {255}
            every += 1
            # What 0.8 keeps, 0.3 keeps.
            assert left == {value} or (most[stroke] == 255).all()
    assert every > 300
    assert abs(dropped / every - 0.3) < 5 * (0.21 / every) ** 0.5
    assert (drop_scribbles(strokes, seed=0, ratio=1) == 255).all()


@pytest.mark.parametrize('function', [shrink_scribbles, drop_scribbles])
def test_reductions_are_functions_of_seed_and_image(function: object) -> None:
    strokes = simulate_scribbles(blobs(), seed=0)

    def draw(seed: int, name: str) -> bytes:
        return function(strokes, seed=seed, image_id=name, ratio=0.4).tobytes()

    first = draw(0, 'a')
    assert draw(1, 'a') != first != draw(0, 'b')
    assert draw(0, 'a') == first
    with pytest.raises(ValueError, match=r'ratio must lie .* got 30'):
        function(strokes, seed=0, ratio=30)
    with pytest.raises(TypeError, match='uint8, got int64'):
        function(strokes.astype(np.int64), seed=0, ratio=0.5)
