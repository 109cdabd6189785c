"""Coordinates of a whole slide: scaled, moved, and counted outside."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mmseg_sparse.labels.importers.annotation import (
    ImageAnnotation,
    PixelRegion,
    Point,
    Region,
    Stroke,
)
from mmseg_sparse.labels.importers.draw import ImportOptions
from mmseg_sparse.labels.importers.import_labels import import_labels
from mmseg_sparse.labels.importers.readers import qupath
from mmseg_sparse.labels.importers.slide import on_image
from mmseg_sparse.labels.label_folder import read_sidecar
from mmseg_sparse.utils.untrusted import FormatError

from ...helpers.drawn import points, regions, strokes
from ...helpers.fuzzing import MODEST
from ...helpers.import_cases import labels_of
from ...helpers.tools import call
from ...helpers.writers_b import qupath as write
from ...helpers.writers_c import drawn_map

SIZE = (20, 12)
SHAPES = (
    Region('wall', (np.array([[100, 60], [140, 60], [140, 84.0]]),)),
    Point('cat', (130.0, 100.0)),
    Stroke('cat', np.array([[104, 64], [176, 64.0]]), width=8),
    Region('wall', (np.array([[0, 0], [90, 0], [90, 40.0]]),)),
    Point('cat', (185.0, 70.0)),
)
#: The same by hand: minus (100, 60), a quarter.
HERE = (
    Region('wall', (np.array([[0, 0], [10, 0], [10, 6.0]]),)),
    Point('cat', (7.5, 10.0)),
    Stroke('cat', np.array([[1, 1], [19, 1.0]]), width=2),
    Region('wall', (np.array([[-25, -15], [-2.5, -15], [-2.5, -5.0]]),)),
    Point('cat', (21.25, 2.5)),
)


def make(folder, shapes=SHAPES):
    """Write an image and its objects, on the slide; widths are lost."""
    (folder / 'images').mkdir()
    Image.new('RGB', SIZE).save(folder / 'images/a.png')
    path = folder / 'a.geojson'
    path.write_text(json.dumps(write(ImageAnnotation('a', '', None, shapes))))
    return path


def test_a_quarter_by_hand():
    slide = ImageAnnotation('a', '', (4000, 3000), SHAPES)
    found = on_image(slide, 4, (100, 60))
    assert found.size is None
    assert found.shapes[2].width == 2
    maps = [
        drawn_map(item, SIZE, ['cat', 'wall'])
        for item in (found, replace(slide, shapes=HERE))
    ]
    np.testing.assert_array_equal(*maps)
    assert on_image(slide, 1, (0, 0)) is slide


def test_import_counts_what_lies_outside(tmp_path):
    source = make(tmp_path)
    done = call(
        'import_labels', 'qupath', 'a.geojson', 'out', '--images', 'images',
        '--downsample', '4', '--offset', '100', '60', cwd=tmp_path,
    )  # fmt: skip
    assert '2 shapes that lie outside their image' in done.stdout
    sidecar = read_sidecar(tmp_path / 'out')
    assert sidecar['outside'] == 2
    assert sidecar['options']['downsample'] == 4
    assert sidecar['options']['offset'] == [100, 60]
    shapes = tuple(
        replace(s, width=None) if isinstance(s, Stroke) else s for s in HERE
    )
    expected = rasterized(shapes)
    assert np.array_equal(labels_of(tmp_path / 'out/a.png'), expected)
    content = write(ImageAnnotation('a', '', None, SHAPES[:3]))
    source.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r'3 shapes lie outside .*--downsam'):
        import_labels(
            'qupath', source, tmp_path / 'two', images=tmp_path / 'images'
        )


def rasterized(shapes):
    order = sorted(shapes, key=lambda s: not isinstance(s, Region))
    return drawn_map(
        ImageAnnotation('a', '', None, tuple(order)), SIZE, ['cat', 'wall']
    )


@given(
    st.lists(points() | strokes() | regions(), max_size=4),
    st.sampled_from([0.5, 1, 4, 16]),
    st.tuples(st.integers(-900, 900), st.integers(0, 90_000)),
)
@MODEST
def test_round_trip(tmp_path, shapes, downsample, offset):
    """Coordinates that floats hold exactly, there and back."""

    def exact(array):
        return np.round(np.asarray(array) * 256) / 256

    def far(array):
        return exact(array) * downsample + offset

    def each(change):
        for s in shapes:
            if isinstance(s, Point):
                yield replace(s, xy=tuple(change(s.xy).tolist()))
            elif isinstance(s, Stroke):
                yield replace(s, points=change(s.points))
            else:
                yield replace(s, rings=tuple(map(change, s.rings)))

    path = tmp_path / 'a.geojson'
    slide = ImageAnnotation('a', '', None, tuple(each(far)))
    path.write_text(json.dumps(write(slide)))
    (read,) = qupath.read(path)
    found = on_image(read, downsample, offset)
    here = replace(slide, shapes=tuple(each(exact)))
    labels = sorted({s.label for s in shapes})
    maps = [drawn_map(item, (60, 40), labels) for item in (found, here)]
    np.testing.assert_array_equal(*maps)


def test_masks_are_moved_but_not_scaled():
    mask = PixelRegion('cat', np.ones((2, 3), bool), (7, 9), entry='value 1')
    item = ImageAnnotation('a', 'a.png', None, (mask,))
    (moved,) = on_image(item, 1, (5, -1)).shapes
    assert moved.origin == (2, 10)
    for downsample, offset in ((2, (0, 0)), (1, (0.5, 0))):
        with pytest.raises(FormatError, match=r'value 1: a mask of pixels ca'):
            on_image(item, downsample, offset)


@pytest.mark.parametrize(
    ('options', 'problem'),
    [
        ({'downsample': 0}, 'downsample must be above 0'),
        ({'downsample': float('nan')}, 'downsample must be above 0'),
        ({'offset': (0, float('inf'))}, 'offset must be two numbers'),
    ],
)
def test_wrong_options(options, problem):
    with pytest.raises(ValueError, match=problem):
        ImportOptions(**options)


def test_shapes_that_become_tags_are_counted_too(tmp_path):
    make(tmp_path, SHAPES[:1])
    summary = import_labels(
        'qupath', tmp_path / 'a.geojson', tmp_path / 'out',
        images=tmp_path / 'images',
        options=ImportOptions(supervision='tag', downsample=2),
    )  # fmt: skip
    assert summary.outside == 1
