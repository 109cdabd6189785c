"""Label maps: order, conflicts, clipping, brushes, bad shapes."""

import numpy as np
import pytest

from mmseg_sparse.labels.importers.annotation import (
    ImageAnnotation,
    PixelRegion,
    Point,
    Region,
    Stroke,
)
from mmseg_sparse.labels.importers.rasterize import rasterize
from mmseg_sparse.utils.untrusted import FormatError

IDS = {'a': 0, 'b': 1, 'c': 2, 'void': 255}


def line(label, *points, **more):
    return Stroke(label, np.array(points, np.float64), **more)


def box(label, left, top, right, bottom, **more):
    corners = [[left, top], [right, top], [right, bottom], [left, bottom]]
    return Region(label, (np.array(corners, np.float64),), **more)


def draw(*shapes, size=(8, 6), **options):
    return rasterize(
        ImageAnnotation('x', 'x.json', shapes=shapes), IDS, size, **options
    )


def test_a_stroke_by_hand():
    raster = draw(line('b', (2, 3), (5, 3)), stroke_width=2)
    expected = np.full((6, 8), 255)
    # Rows 2 and 3 have middles 0.5 away from y = 3; of their pixels, those
    # before x = 2 and after x = 5 reach the ends if 0.5² + 0.5² <= 1².
    expected[2:4, 1:6] = 1
    assert np.array_equal(raster.labels, expected)
    assert raster.labels.dtype == np.uint8
    assert (raster.conflicts, raster.clipped, raster.vanished) == (0, 0, 0)


def test_a_thin_stroke_covers_what_it_crosses():
    raster = draw(line('b', (0.9, 0.2), (2.1, 1.8)), stroke_width=0.1)
    # x = 1 at y = 0.33, y = 1 at x = 1.5, x = 2 at y = 1.67.
    expected = np.full((6, 8), 255)
    expected[[0, 0, 1, 1], [0, 1, 1, 2]] = 1
    assert np.array_equal(raster.labels, expected)


def test_the_stroke_s_own_width_counts():
    own = draw(line('a', (1, 3), (7, 3), width=4.0), stroke_width=1)
    assert np.array_equal(
        own.labels, draw(line('a', (1, 3), (7, 3)), stroke_width=4).labels
    )


def test_points():
    raster = draw(Point('a', (2.0, 3.999)), Point('b', (8.0, 6.0)))
    expected = np.full((6, 8), 255)
    expected[3, 2] = 0
    expected[5, 7] = 1  # on the far edges: the last pixel
    assert np.array_equal(raster.labels, expected)
    assert raster.clipped == 0
    disc = draw(Point('c', (4.5, 2.5)), point_radius=1).labels == 2
    assert disc.sum() == 5
    assert disc[2, 3:6].all()
    assert disc[1:4, 4].all()


def test_the_later_wins_and_z_goes_before():
    first, second = box('a', 0, 0, 4, 4), box('b', 2, 2, 6, 6)
    raster = draw(first, second)
    assert (raster.labels[2:6, 2:6] == 1).all()
    assert raster.conflicts == 4
    raised = draw(box('a', 0, 0, 4, 4, z=1), second)
    assert (raised.labels[:4, :4] == 0).all()
    assert raised.conflicts == 4


def test_conflicts_are_pixels_not_pairs():
    raster = draw(*(box(label, 0, 0, 2, 2) for label in 'abacc'))
    assert (raster.labels[:2, :2] == 2).all()
    assert raster.conflicts == 4
    assert draw(box('a', 0, 0, 2, 2), box('a', 1, 1, 3, 3)).conflicts == 0


def test_void_is_drawn_like_a_class():
    raster = draw(
        box('a', 0, 0, 4, 4), box('void', 2, 2, 6, 6), box('b', 5, 5, 8, 6)
    )
    expected = np.full((6, 8), 255)
    expected[:4, :4] = 0
    expected[2:4, 2:4] = 255
    expected[5, 5:] = 1
    assert np.array_equal(raster.labels, expected)
    assert raster.contested == {(255, 0): 4, (1, 255): 1}
    assert raster.void.sum() == 16 - 1
    assert not raster.void[0, 7]


def wall_and_window(*, z=0):
    # The wall comes later and is larger.
    return [box('b', 2, 2, 4, 4, z=z), box('a', 1, 1, 7, 5)]


@pytest.mark.parametrize(
    ('overlap', 'z', 'window'),
    [
        ('layers', 0, 0), ('layers', 1, 4), ('later-on-top', 1, 0),
        ('smaller-on-top', 0, 4), ('smaller-on-top', -1, 4),
    ],
)  # fmt: skip
def test_which_shape_has_a_pixel(overlap, z, window):
    raster = draw(*wall_and_window(z=z), overlap=overlap)
    assert (raster.labels == 1).sum() == window
    assert (raster.labels == 0).sum() == 24 - window
    pair = (1, 0) if window else (0, 1)
    assert raster.contested == {pair: 4}


def test_smaller_areas_lie_on_top():
    pixels = np.ones((1, 3), bool)
    shapes = [
        Point('c', (2.5, 2.5)), line('void', (1, 5), (7, 5)),
        PixelRegion('c', pixels, (0, 0)), box('a', 0, 0, 2, 2),
        box('b', 0, 0, 9, 6), box('a', 6, 0, 8, 2), box('b', 6, 0, 8, 2),
    ]  # fmt: skip
    raster = draw(*shapes, overlap='smaller-on-top', stroke_width=1)
    expected = np.full((6, 8), 1)
    expected[0, :3] = 2
    expected[1, :2] = 0
    expected[2, 2] = 2
    expected[5, 1:7] = 255  # lines and points lie above every area
    assert np.array_equal(raster.labels, expected)  # equal ones: the later


def test_overlaps_can_be_an_error():
    with pytest.raises(FormatError) as caught:
        draw(
            box('b', 0, 4, 8, 6, entry='floor'),
            box('b', 2, 2, 4, 4, entry='window'),
            box('a', 1, 1, 7, 5, entry='wall'), overlap='error',
        )  # fmt: skip
    for part in ("x.json: wall: 'a' overlaps 'b' of floor in 6 pixels of 'x'",
                 '--overlap'):  # fmt: skip
        assert part in str(caught.value)
    apart = draw(
        box('b', 2, 2, 4, 4), box('b', 2, 3, 4, 5), box('a', 5, 1, 7, 5),
        overlap='error',
    )  # fmt: skip
    assert apart.conflicts == 0


def test_clipping_is_counted_by_shape():
    raster = draw(
        line('a', (-3, 1), (3, 1)), line('b', (3, 5), (3, 60), (3, 5)),
        box('c', 0, 0, 8, 6, z=-1), box('c', -1, 0, 1, 1), Point('a', (-4, 2)),
    )  # fmt: skip
    assert raster.clipped == 4
    assert raster.vanished == 1
    assert (raster.labels != 255).all()
    assert (raster.labels[0:2, 0:3] == [[2, 0, 0], [0, 0, 0]]).all()


def test_shapes_without_a_pixel_are_counted():
    raster = draw(box('a', 1.6, 1.6, 2.4, 2.4), box('a', 20, 20, 30, 30))
    assert (raster.vanished, raster.clipped) == (2, 1)
    assert (raster.labels == 255).all()


def test_pixel_regions():
    pixels = np.array([[True, False, True], [False, True, True]])
    raster = draw(PixelRegion('b', pixels, origin=(6, 5)))
    assert np.argwhere(raster.labels == 1).tolist() == [[5, 6]]
    assert raster.clipped == 1
    empty = draw(PixelRegion('b', np.zeros((2, 2), bool), origin=(-9, 0)))
    assert (empty.clipped, empty.vanished) == (0, 1)


def test_another_ignore_index():
    raster = draw(Point('b', (0, 0)), ignore_index=254)
    assert set(np.unique(raster.labels)) == {1, 254}


@pytest.mark.parametrize(
    ('shape', 'problem'),
    [
        (Point('cat', (1, 1), entry='shapes[7]'),
         r"x.json: shapes\[7\]: unknown class 'cat'"),
        (Point('a', (float('nan'), 1), entry='e'), 'e: coordinate not finite'),
        (line('a', (1, 1), (1, float('inf'))), 'not finite'),
        (line('a', (1, 1), (1, 2), width=1e9), 'at most 1000, got 10'),
        (line('a', (1, 1), (1, 2), width=0.0), 'above 0'),
        (Stroke('a', np.zeros((0, 2))), 'no points'),
    ],
)  # fmt: skip
def test_bad_shapes(shape, problem):
    with pytest.raises(FormatError, match=problem):
        draw(shape)


@pytest.mark.parametrize(
    ('options', 'problem'),
    [
        ({'stroke_width': 0}, 'stroke width must be above 0 .* got 0'),
        ({'stroke_width': float('nan')}, 'got nan'),
        ({'point_radius': -1}, 'point radius must be from 0 to 500 .* -1'),
        ({'point_radius': 501}, 'got 501'),
    ],
)
def test_bad_brushes(options, problem):
    with pytest.raises(ValueError, match=problem):
        draw(**options)
