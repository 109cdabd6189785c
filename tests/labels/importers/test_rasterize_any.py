"""Any shapes in any order, pixel by pixel."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mmseg_sparse.labels.importers.annotation import Point, Region, Stroke

from ...reference import coverage as reference
from .test_rasterize import IDS, draw

coordinates = st.integers(-16, 80).map(lambda v: v / 8)
pairs = st.tuples(coordinates, coordinates)
names = st.sampled_from('aabc')
heights = st.integers(-1, 1)
rings = st.lists(pairs, min_size=3, max_size=5).map(np.array)
shapes = st.one_of(
    st.builds(Point, names, pairs, heights),
    st.builds(
        Stroke, names,
        st.lists(pairs, min_size=2, max_size=4).map(np.array), heights,
        width=st.sampled_from([None, 1.0, 2.5]),
    ),
    st.builds(
        Region, names, st.lists(rings, min_size=1, max_size=2).map(tuple),
        heights,
    ),
)  # fmt: skip


def literal(shape, size):
    """Rows of bool by the reference."""
    if isinstance(shape, Region):
        return reference.area(shape.rings, size)
    if isinstance(shape, Stroke):
        width = 3.0 if shape.width is None else shape.width
        return reference.line(shape.points, width, size)
    (x, y), (width, height) = shape.xy, size
    inside = 0 <= x <= width and 0 <= y <= height
    place = (min(int(x), width - 1), min(int(y), height - 1))
    return [
        [inside and place == (c, r) for c in range(width)]
        for r in range(height)
    ]


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.lists(shapes, max_size=5))
def test_any_shapes_pixel_by_pixel(drawn):
    size = (8, 6)
    raster = draw(*drawn, size=size)
    covers = [literal(shape, size) for shape in drawn]
    order = sorted(range(len(drawn)), key=lambda i: (drawn[i].z, i))
    conflicts = 0
    for r in range(6):
        for c in range(8):
            there = [IDS[drawn[i].label] for i in order if covers[i][r][c]]
            assert raster.labels[r, c] == (there[-1] if there else 255)
            conflicts += len(set(there)) > 1
    assert raster.conflicts == conflicts
    assert raster.vanished == sum(not np.any(cover) for cover in covers)
