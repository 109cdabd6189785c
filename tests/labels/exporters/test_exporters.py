"""Label maps go to annotation files and come back through the importers."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from mmseg_sparse.labels.exporters import (
    EXPORTS,
    outline,
    write_annotations,
)
from mmseg_sparse.labels.exporters.outlines import area, simplify, trace
from mmseg_sparse.labels.importers import load_reader
from mmseg_sparse.labels.importers.import_labels import import_labels
from mmseg_sparse.labels.importers.rasterize import rasterize
from mmseg_sparse.labels.label_map import load_png_index
from tests.helpers import start_case as case

CLASSES = ('ground', 'cat', 'dog')
SHAPES = st.tuples(st.integers(1, 13), st.integers(1, 17))
VALUES = st.sampled_from([0, 1, 2, 255])
MAPS = arrays(np.uint8, SHAPES, elements=VALUES)


def read_back(name: str, labels: np.ndarray, tolerance: float, folder: Path):
    """Write one image and rasterize what the reader gives."""
    found = outline(labels, CLASSES, 'a.jpg', tolerance=tolerance)
    files = write_annotations(name, [found], CLASSES)
    ((file, content),) = files.items()
    (folder / file).write_bytes(content)
    (annotation,) = load_reader(name)(folder / file)
    size = (labels.shape[1], labels.shape[0])
    assert annotation.size in (None, size)
    ids = dict(zip(CLASSES, range(3), strict=True))
    return rasterize(annotation, ids, size=size).labels


@pytest.mark.parametrize('name', EXPORTS)
@given(labels=MAPS)
@settings(max_examples=40, deadline=None)
def test_exact_outlines_give_the_same_map(
    name: str, labels: np.ndarray, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp('exact')
    np.testing.assert_array_equal(read_back(name, labels, 0, folder), labels)


def blobs(seed: int, size: tuple[int, int]) -> np.ndarray:
    """Smooth areas with holes, and parts without label."""
    noise = np.random.default_rng(seed).standard_normal((4, *size))
    best = ndimage.gaussian_filter(noise, (0, 3, 3)).argmax(0)
    return np.array([0, 1, 2, 255], np.uint8)[best]


@pytest.mark.parametrize('name', EXPORTS)
@given(
    seed=st.integers(0, 10**6),
    size=st.tuples(st.integers(3, 40), st.integers(3, 50)),
    tolerance=st.sampled_from([0.5, 1.0, 2.7]),
)
@settings(max_examples=25, deadline=None)
def test_pixels_differ_within_the_tolerance_of_a_border_only(
    name: str, seed: int, size, tolerance: float,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    labels = blobs(seed, size)
    folder = tmp_path_factory.mktemp('near')
    found = read_back(name, labels, tolerance, folder)
    # Distance of a pixel's middle to the nearest border of two labels: half
    # a pixel less than to the middle of the nearest pixel of another label.
    border = np.full(size, np.inf)
    for value in np.unique(labels):
        other = np.pad(labels != value, 1, constant_values=True)
        inside = ndimage.distance_transform_cdt(~other, 'chessboard')
        own = labels == value
        border[own] = inside[1:-1, 1:-1][own]
    assert (found == labels)[border - 0.5 > tolerance].all()


def test_a_tolerance_saves_points() -> None:
    y, x = np.mgrid[:80, :96]
    disc = ((y - 40) ** 2 + (x - 50) ** 2 < 900) & (
        (y - 40) ** 2 + (x - 50) ** 2 > 100
    )
    labels = disc.astype(np.uint8)
    numbers = [
        sum(len(ring) for shape in outline(
            labels, CLASSES, 'a.jpg', tolerance=tolerance
        ).shapes for ring in shape.rings)
        for tolerance in (0.0, 1.0, 2.0)
    ]  # fmt: skip
    assert numbers[0] > 3 * numbers[1] > 3 * numbers[2]


def test_the_outer_ring_comes_first_and_runs_clockwise() -> None:
    region = np.ones((5, 6), bool)
    region[1:3, 1:3] = region[3, 3] = False  # holes that touch at a corner
    outer, *holes = trace(region)
    assert outer.tolist() == [[0, 0], [6, 0], [6, 5], [0, 5]]
    assert area(outer) == 30
    assert sum(map(area, holes)) == -5


def test_a_ring_keeps_its_area() -> None:
    flat = np.array([[0, 0], [9, 0], [9, 1], [8, 1], [0, 1]], float)
    assert area(simplify(flat, 5.0)) != 0


def test_importing_a_folder_of_predictions(tmp_path: Path) -> None:
    names = ['a', 'sub/b']
    for name in names:
        case.image(tmp_path / f'images/{name}.jpg')
    annotations = [
        outline(case.mask(), CLASSES, f'{name}.jpg') for name in names
    ]
    for name, content in write_annotations(
        'labelme', annotations, CLASSES
    ).items():
        (tmp_path / 'json' / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / 'json' / name).write_bytes(content)
    import_labels(
        'labelme', tmp_path / 'json', tmp_path / 'labels',
        images=tmp_path / 'images',
    )  # fmt: skip
    found = load_png_index(tmp_path / 'labels/sub/b.png')
    # Without a list of classes these are in alphabetical order.
    np.testing.assert_array_equal(found, np.array([2, 0, 1])[case.mask()])


def test_errors() -> None:
    labels = np.full((3, 4), 3, np.uint8)
    with pytest.raises(ValueError, match='class 3, but there are only 3'):
        outline(labels, CLASSES, 'a.jpg')
    with pytest.raises(ValueError, match=r'at least 0 pixels, got -1'):
        outline(labels, CLASSES, 'a.jpg', tolerance=-1)
    with pytest.raises(ValueError, match="got 'word'"):
        write_annotations('word', [], CLASSES)
