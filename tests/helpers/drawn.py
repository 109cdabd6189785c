"""Random annotations, drawn by hypothesis."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from mmseg_sparse.labels.importers.annotation import (
    PixelRegion,
    Point,
    Region,
    Stroke,
)

LABELS = st.sampled_from(['cat', 'potted plant', 'Straße', '树', '7', 'a,"b"'])
NAMES = st.sampled_from(['a.jpg', 'b c.png', '2007_000032', 'x/y.jpg', 'ü'])
FLOATS = st.floats(-50, 2000, allow_nan=False)
WHOLE = st.integers(-5, 600).map(float)


def lines(
    numbers: st.SearchStrategy[float] = FLOATS, *, least: int = 1
) -> st.SearchStrategy[NDArray[np.float64]]:
    """Draw ``(K, 2)`` without an end that repeats the start."""
    return (
        st.lists(st.tuples(numbers, numbers), min_size=least, max_size=6)
        .filter(lambda pairs: least < 2 or pairs[0] != pairs[-1])
        .map(lambda pairs: np.array(pairs, np.float64))
    )


def points(
    numbers: st.SearchStrategy[float] = FLOATS,
    labels: st.SearchStrategy[str] = LABELS,
) -> st.SearchStrategy[Point]:
    return st.builds(Point, labels, st.tuples(numbers, numbers))


def strokes(
    numbers: st.SearchStrategy[float] = FLOATS,
) -> st.SearchStrategy[Stroke]:
    return st.builds(Stroke, LABELS, lines(numbers))


def regions(
    numbers: st.SearchStrategy[float] = FLOATS, *, holes: int = 2
) -> st.SearchStrategy[Region]:
    rings = st.lists(lines(numbers, least=3), min_size=1, max_size=holes + 1)
    return st.builds(Region, LABELS, rings.map(tuple))


def label_maps(values: int, dtype: Any) -> st.SearchStrategy[NDArray[Any]]:
    """Draw small maps, most of them not square."""
    sizes = st.tuples(st.integers(1, 7), st.integers(1, 9))
    return st.builds(
        lambda size, seed: np.random.default_rng(seed)
        .integers(0, values, size)
        .astype(dtype),
        sizes, st.integers(0, 2**32),
    )  # fmt: skip


def pixel_regions() -> st.SearchStrategy[PixelRegion]:
    origins = st.tuples(st.integers(0, 40), st.integers(0, 40))
    return st.builds(PixelRegion, LABELS, label_maps(2, bool), origins)
