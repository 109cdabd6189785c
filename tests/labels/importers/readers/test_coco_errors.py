"""COCO files that are broken, or say what cannot be."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmseg_sparse.labels.importers.readers import coco
from mmseg_sparse.utils.untrusted import FormatError

from ....helpers.fuzzing import MODEST, fuzz_json
from .test_coco import COCO, read


def spoil(section: str, index: int, **fields: Any) -> dict[str, Any]:
    content = copy.deepcopy(COCO)
    content[section][index] |= fields
    return content


def mask(counts: Any, size: Any = (5, 6)) -> dict[str, Any]:
    return spoil(
        'annotations', 0, segmentation={'counts': counts, 'size': list(size)}
    )


def polygon(*values: Any) -> dict[str, Any]:
    return spoil('annotations', 1, segmentation=[list(values)])


@pytest.mark.parametrize(('content', 'message'), [
    ([], r': expected an object, got \[\]'),
    ({'images': []}, 'categories: missing'),
    (spoil('images', 1, id=5), r'images\[2\]\.id: 5 .* images\[1\] already'),
    (spoil('images', 0, width=0), r'images\[0\]\.width: .* 1 to 65500, got 0'),
    (spoil('images', 0, file_name='a/..'), r"file_name: .*'a/\.\.'"),
    (spoil('categories', 0, name=7), r'categories\[0\]\.name: .* got 7'),
    (spoil('annotations', 2, image_id=8),
     r'annotations\[2\]\.image_id: nothing has the id 8'),
    (spoil('annotations', 2, category_id='1'),
     r"annotations\[2\]\.category_id: nothing has the id '1'"),
    (spoil('annotations', 2, keypoints=[1, 2]),
     r'annotations\[2\]\.keypoints: expected 3 numbers a point, got \[1'),
    (spoil('annotations', 2, keypoints=[1, 'x', 2]), r"keypoints.*got 'x'"),
    (spoil('annotations', 3, bbox=[1, 2, -3, 4]), r'\.bbox\[2\]: .* got -3'),
    (spoil('annotations', 3, bbox=[1, 2]), r'bbox: .* got \[1, 2\]'),
    (spoil('annotations', 3, bbox=3), 'bbox: expected a list, got 3'),
    (mask(';32NO0124', (6, 5)), r'size: .*\[5, 6\], got \[6, 5\]'),
    (mask(';32NO012'), 'counts'),
    (mask('é'), 'counts: not an RLE string'),
    (mask([31]), 'counts'),
    (mask([-1, 31]), r'counts\[0\]'),
    (mask([10**18, 1]), r'counts\[0\]'),
    (mask(None), 'counts: expected a string or a list, got None'),
    (polygon(1, 2, 3, 4), r'segmentation\[0\]: .* 3 points, got 2'),
    (polygon(1, 2, 3, 4, 5), r'segmentation\[0\]: expected 2 numbers a point'),
    (polygon(1, 2, 3, 4, 5, 1e30),
     r'segmentation\[0\]\[5\]: .* <= 1000000\.0, got 1e\+30'),
])  # fmt: skip
def test_wrong_values_are_named(
    tmp_path: Path, content: Any, message: str
) -> None:
    with pytest.raises(FormatError, match=rf'a\.json.*{message}'):
        read(tmp_path / 'a.json', content)


def test_a_lie_about_sizes_costs_nothing(tmp_path: Path) -> None:
    content = mask([0], (65500, 65500))
    content['images'][0] |= {'width': 65500, 'height': 65500}
    with pytest.raises(FormatError, match=r'images\[0\]: .* more than'):
        read(tmp_path / 'a.json', content)


@given(seed=st.integers(0, 2**32))
@MODEST
def test_broken_files(tmp_path: Path, seed: int) -> None:
    fuzz_json(coco.read, tmp_path / 'a.json', COCO, seed)


def test_images_and_categories_without_id_or_name(tmp_path: Path) -> None:
    content = json.loads(json.dumps(COCO))
    content['images'].insert(0, {'file_name': 'x.jpg'})
    content['images'].append(content['images'][1])  # its id comes twice
    content['categories'].append({'id': 99, 'name': 7})
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(content))
    errors: list[FormatError] = []
    read = list(coco.read(path, on_error=errors.append))
    path.write_text(json.dumps(COCO))
    sound = list(coco.read(path))
    assert [(a.image, len(a.shapes)) for a in read] == [
        (a.image, len(a.shapes)) for a in sound
    ]
    last = len(content['categories']) - 1
    for error, problem in zip(errors, (
        rf'categories\[{last}\].name: expected a string, got 7',
        r'images\[0\].id: missing',
        rf"images\[{len(content['images']) - 1}\].id: .* images\[1\] already",
    ), strict=True):  # fmt: skip
        assert re.search(problem, str(error))


def test_cut_files(tmp_path: Path) -> None:
    data = json.dumps(COCO).encode()
    for stop in range(0, len(data), 29):
        (tmp_path / 'a.json').write_bytes(data[:stop])
        with pytest.raises(FormatError, match=r'a\.json'):
            list(coco.read(tmp_path / 'a.json'))
