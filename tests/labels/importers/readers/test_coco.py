"""COCO: its own files' form, and written ones."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmseg_sparse.labels.importers.annotation import (
    ImageAnnotation,
    PixelRegion,
    Point,
    Region,
)
from mmseg_sparse.labels.importers.readers import coco

from ....helpers.drawn import (
    FLOATS,
    NAMES,
    WHOLE,
    pixel_regions,
    points,
    regions,
)
from ....helpers.fuzzing import MODEST
from ....helpers.writers_a import coco as write
from ....helpers.writers_a import coco_string, run_lengths, whole

#: As in COCO 2017: a polygon of two parts, a crowd, a person's keypoints, and
#: a box alone. The string and the runs are what pycocotools 2.0.11 makes of
#: the mask below.
COCO = {
    'info': {'description': 'COCO 2017 Dataset', 'version': '1.0'},
    'licenses': [{'url': 'http://', 'id': 1, 'name': 'CC'}],
    'images': [
        {'license': 4, 'file_name': '000000397133.jpg', 'coco_url': 'http://',
         'height': 5, 'width': 6, 'date_captured': '2013', 'id': 397133},
        {'file_name': '000000037777.jpg', 'height': 40, 'width': 70,
         'id': 37777},
        {'file_name': 'empty.jpg', 'height': 4, 'width': 4, 'id': 5},
    ],
    'annotations': [
        {'segmentation': {'counts': ';32NO0124', 'size': [5, 6]},
         'area': 8, 'iscrowd': 1, 'image_id': 397133, 'id': 908400000,
         'bbox': [2, 1, 3, 3], 'category_id': 18},
        {'segmentation': [[1.5, 2.25, 30, 2, 30.0, 20], [40, 5, 50, 5, 50, 9,
                                                         40, 9]],
         'area': 1.5, 'iscrowd': 0, 'image_id': 37777, 'id': 1,
         'bbox': [1.5, 2, 48.5, 18], 'category_id': 1},
        {'segmentation': [], 'num_keypoints': 2, 'keypoints': [
            10, 20, 2, 0, 0, 0, 30, 15, 1],
         'image_id': 37777, 'bbox': [1, 2, 3, 4], 'category_id': 1, 'id': 2},
        {'image_id': 37777, 'bbox': [1, 2, 3, 4.5], 'category_id': 18,
         'id': 3},
        {'segmentation': {'counts': [11, 3, 2, 1, 1, 1, 2, 3, 6],
                          'size': [5, 6]},
         'image_id': 397133, 'category_id': 1, 'id': 9},
    ],
    'categories': [
        {'supercategory': 'person', 'id': 1, 'name': 'person'},
        {'supercategory': 'animal', 'id': 18, 'name': 'dog'},
    ],
}  # fmt: skip
MASK = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool)


def read(path: Path, content: Any) -> list[ImageAnnotation]:
    path.write_text(json.dumps(content))
    return list(coco.read(path))


def test_a_file_of_coco(tmp_path: Path) -> None:
    first, second, empty = read(tmp_path / 'a.json', COCO)
    assert (first.image, first.size) == ('000000397133.jpg', (6, 5))
    crowd, runs = first.shapes
    assert [crowd.label, runs.label] == ['dog', 'person']
    assert crowd.entry == 'annotations[0]'
    for mask in (crowd, runs):
        assert isinstance(mask, PixelRegion)
        assert mask.origin == (2, 1)
        np.testing.assert_array_equal(mask.pixels, MASK)
    part, other, nose, eye, box = second.shapes
    assert isinstance(part, Region)
    assert part.rings[0].tolist() == [[1.5, 2.25], [30, 2], [30, 20]]
    assert len(other.rings[0]) == 4
    assert isinstance(nose, Point)
    assert [nose.xy, eye.xy] == [(10.5, 20.5), (30.5, 15.5)]
    assert [s.label for s in second.shapes] == ['person'] * 4 + ['dog']
    assert box.rings[0].tolist() == [[1, 2], [4, 2], [4, 6.5], [1, 6.5]]
    assert (empty.image, empty.shapes) == ('empty.jpg', ())


def test_a_compressed_mask_of_pycocotools(tmp_path: Path) -> None:
    code = (
        'e<Q17000000000000000000UO2<ND2<ND2<ND2<ND2<ND2<ND2<ND2<ND2<ND2<ND2<'
        'ND2<ND2<N?0000000000000000000000000000000000000000000000000000'
        '00S;'
    )
    mask = np.zeros((40, 70), bool)
    mask[5:38, 10:61] = True
    mask[11:20, 20:33] = False
    assert coco_string(run_lengths(mask.T.ravel())) == code
    content = COCO | {'annotations': [
        {'image_id': 37777, 'category_id': 1, 'id': 1,
         'segmentation': {'size': [40, 70], 'counts': code}},
    ]}  # fmt: skip
    (shape,) = read(tmp_path / 'a.json', content)[1].shapes
    np.testing.assert_array_equal(whole(shape, (70, 40)), mask)


def test_ids_may_be_texts(tmp_path: Path) -> None:
    content = {
        'images': [{'id': 'a', 'file_name': 'x/a.jpg', 'width': 4.0,
                    'height': 3}],
        'annotations': [{'id': 'q', 'image_id': 'a', 'category_id': 'c',
                         'bbox': [0, 0, 2, 2]}],
        'categories': [{'id': 'c', 'name': 'cat'}],
    }  # fmt: skip
    (annotation,) = read(tmp_path / 'a.json', content)
    assert (annotation.image, annotation.size) == ('x/a.jpg', (4, 3))
    assert annotation.shapes[0].label == 'cat'


def test_masks_without_a_pixel_are_no_shapes(tmp_path: Path) -> None:
    content = COCO | {'annotations': [
        {'image_id': 5, 'category_id': 1, 'id': 1,
         'segmentation': {'size': [4, 4], 'counts': [16]}},
    ]}  # fmt: skip
    assert read(tmp_path / 'a.json', content)[2].shapes == ()


def test_keypoints_with_fractions_are_from_the_corner(tmp_path: Path) -> None:
    content = json.loads(json.dumps(COCO))
    values = next(a['keypoints'] for a in content['annotations']
                  if 'keypoints' in a)  # fmt: skip
    assert values[:2] == [10, 20]
    at = values.index(30)
    values[at] = 30.25
    before, after = (
        [s.xy for a in read(tmp_path / 'a.json', c) for s in a.shapes
         if isinstance(s, Point)]
        for c in (COCO, content)
    )  # fmt: skip
    assert before == [(10.5, 20.5), (30.5, 15.5)]
    assert after == [(10, 20), (30.25, 15)]


def equal(read: Any, written: Any, size: tuple[int, int], half: float) -> bool:
    if type(read) is not type(written) or read.label != written.label:
        return False
    if isinstance(read, PixelRegion):
        return np.array_equal(whole(read, size), whole(written, size))
    if isinstance(read, Region):
        return np.array_equal(read.rings[0], written.rings[0])
    return read.xy == (written.xy[0] + half, written.xy[1] + half)


@pytest.mark.parametrize('numbers', [FLOATS, WHOLE])
@given(st.booleans(), st.data(), NAMES)
@MODEST
def test_round_trip(
    tmp_path: Path, numbers: Any, compressed: bool, data: Any, name: str
) -> None:
    size = (53, 51)
    any_shape = points(numbers) | regions(holes=0) | pixel_regions()
    drawn = data.draw(st.lists(st.lists(any_shape, max_size=4), max_size=3))
    # A mask of nothing is read as nothing, which is tried above.
    drawn = [
        [s for s in shapes if not isinstance(s, PixelRegion) or s.pixels.any()]
        for shapes in drawn
    ]
    half = 0.0 if any(
        isinstance(shape, Point) and any(v % 1 for v in shape.xy)
        for shapes in drawn for shape in shapes
    ) else 0.5  # fmt: skip
    annotations = [
        ImageAnnotation(name, '', size, tuple(shapes)) for shapes in drawn
    ]
    back = read(tmp_path / 'ü.json', write(annotations, compressed=compressed))
    assert [(a.image, a.size) for a in back] == [(name, size)] * len(drawn)
    for annotation, shapes in zip(back, drawn, strict=True):
        assert len(annotation.shapes) == len(shapes)
        for shape, written in zip(annotation.shapes, shapes, strict=True):
            assert equal(shape, written, size, half)


@pytest.mark.parametrize('nothing', [
    {}, {'bbox': None}, {'bbox': []}, {'segmentation': []},
    {'segmentation': None, 'bbox': [], 'keypoints': []},
])  # fmt: skip
def test_an_annotation_without_a_place_is_a_tag(
    tmp_path: Path, nothing: dict
) -> None:
    label = {'image_id': 1, 'category_id': 7, **nothing}
    content = {
        'images': [{'id': 1, 'file_name': 'a.png', 'width': 4, 'height': 3}],
        'categories': [{'id': 7, 'name': 'cat'}, {'id': 8, 'name': 'dog'}],
        'annotations': [
            label, label,
            {'image_id': 1, 'category_id': 8, 'bbox': [0, 0, 2, 2]},
        ],
    }  # fmt: skip
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(content))
    (annotation,) = coco.read(path)
    assert annotation.tags == ('cat',)
    assert [shape.label for shape in annotation.shapes] == ['dog']


@pytest.mark.parametrize('size', [{}, {'width': 0, 'height': 0}])
def test_a_size_that_is_not_known(tmp_path: Path, size: dict) -> None:
    mask = {'size': [2, 3], 'counts': [1, 2, 3]}
    content = {
        'images': [{'id': 1, 'file_name': 'a.png', **size}],
        'categories': [{'id': 7, 'name': 'cat'}],
        'annotations': [
            {'image_id': 1, 'category_id': 7, 'segmentation': mask},
        ],
    }  # fmt: skip
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(content))
    (annotation,) = coco.read(path)
    assert annotation.size is None
    np.testing.assert_array_equal(
        annotation.shapes[0].pixels, [[0, 1], [1, 0]]
    )
