"""COCO panoptic: a file by hand, written maps and broken files."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mmseg_sparse.labels.importers.import_labels import import_labels
from mmseg_sparse.labels.importers.readers import coco_panoptic
from mmseg_sparse.labels.label_folder import read_sidecar
from mmseg_sparse.utils.untrusted import FormatError

from ....helpers.drawn import label_maps
from ....helpers.fuzzing import MODEST, fuzz_json
from ....helpers.import_cases import labels_of
from ....helpers.writers_b import save_json
from ....helpers.writers_c import coco_panoptic as write
from ....helpers.writers_c import drawn_map

CONTENT: dict[str, Any] = {
    'images': [{'id': 9, 'file_name': 'a.jpg', 'height': 2, 'width': 3},
               {'id': 4, 'file_name': 'b.jpg', 'height': 5, 'width': 5}],
    'annotations': [{
        'image_id': 9, 'file_name': 'a.png',
        'segments_info': [
            {'id': 1, 'category_id': 2, 'iscrowd': 0, 'area': 1},
            {'id': 256 * 2 + 65536 * 3, 'category_id': 1, 'iscrowd': 0},
            {'id': 77, 'category_id': 2, 'iscrowd': 1},
        ],
    }],
    'categories': [{'id': 1, 'name': 'cat', 'isthing': 1},
                   {'id': 2, 'name': 'sky', 'isthing': 0}],
}  # fmt: skip
COLOURS = np.array([[[1, 0, 0], [0, 0, 0], [0, 2, 3]],
                    [[0, 2, 3], [1, 0, 0], [0, 0, 0]]], np.uint8)  # fmt: skip


def make(folder: Path, colours: Any = COLOURS, content: Any = CONTENT) -> Path:
    (folder / 'pan').mkdir(exist_ok=True)
    Image.fromarray(colours).save(folder / 'pan' / 'a.png')
    return save_json(folder / 'pan.json', content)


def test_by_hand(tmp_path: Path) -> None:
    first, second = coco_panoptic.read(make(tmp_path))
    assert (first.image, first.size) == ('a.jpg', (3, 2))
    assert (second.image, second.shapes) == ('b.jpg', ())
    np.testing.assert_array_equal(
        drawn_map(first, (3, 2), ['cat', 'sky']), [[1, 255, 0], [0, 1, 255]]
    )


@pytest.mark.parametrize('named', [True, False])
def test_import_keeps_the_sums_of_the_pngs(
    tmp_path: Path, named: bool
) -> None:
    source = make(tmp_path)
    options = {}
    if named:
        (tmp_path / 'pan').rename(tmp_path / 'elsewhere')
        options = {'masks': tmp_path / 'elsewhere'}
    (tmp_path / 'images').mkdir()
    for name, size in (('a', (3, 2)), ('b', (5, 5))):
        Image.new('RGB', size).save(tmp_path / f'images/{name}.jpg')
    import_labels(
        'coco-panoptic', source, tmp_path / 'out',
        images=tmp_path / 'images', reader_options=options,
    )  # fmt: skip
    labels = labels_of(tmp_path / 'out/a.png').tolist()
    assert labels == [[1, 255, 0], [0, 1, 255]]
    png = 'elsewhere/a.png' if named else 'pan/a.png'
    assert set(read_sidecar(tmp_path / 'out')['sources']) == {'pan.json', png}


@given(
    st.dictionaries(
        st.sampled_from(['a.jpg', 'ü/b c.png', 'd']),
        st.tuples(label_maps(4, np.uint8), st.integers(0, 2**32)),
        max_size=3,
    )
)
@MODEST
def test_round_trip(tmp_path: Path, maps: Any) -> None:
    for classes, _ in maps.values():
        classes[classes == 3] = 255
    names = ['cat', 'wall', 'the sky']
    content = write(tmp_path / 'pan', maps, names)
    back = list(coco_panoptic.read(save_json(tmp_path / 'pan.json', content)))
    assert [a.image for a in back] == list(maps)
    for annotation, (classes, _) in zip(back, maps.values(), strict=True):
        size = classes.shape[::-1]
        assert annotation.size == size
        found = drawn_map(annotation, size, names)
        np.testing.assert_array_equal(found, classes)


def changed(**parts: Any) -> Any:
    content = deepcopy(CONTENT)
    content['annotations'][0].update(parts)
    return content


@pytest.mark.parametrize(
    ('content', 'problem'),
    [
        (changed(segments_info=[{'id': 1, 'category_id': 2}]),
         r'pan\.json: annotations\[0\]\.segments_info: expected the id of '
         r'every segment in .*a\.png, got none for \[197120\]'),
        (changed(segments_info=[{'id': 1, 'category_id': 5}]),
         r'segments_info\[0\]\.category_id: nothing has the id 5'),
        (changed(segments_info=[{'id': 1, 'category_id': 1},
                                {'id': 1, 'category_id': 2}]),
         r"\[1\]\.id: 1 is the id of two segments, of the classes 'cat' and"),
        (changed(file_name='c.png'), r'annotations\[0\]\.file_name: no file'),
        (changed(image_id=4), r'pan/a\.png: expected the size of its image, '
         r'\(5, 5\), got \(3, 2\)'),
        (changed(image_id=5), r'image_id: nothing has the id 5'),
        (CONTENT | {'annotations': CONTENT['annotations'] * 2},
         r'\[1\]\.image_id: expected one annotation an image, got annot'),
    ],
)  # fmt: skip
def test_refused(tmp_path: Path, content: Any, problem: str) -> None:
    with pytest.raises(FormatError, match=problem):
        list(coco_panoptic.read(make(tmp_path, content=content)))


def test_pngs_of_indices_and_missing_folders_are_refused(
    tmp_path: Path,
) -> None:
    source = make(tmp_path, COLOURS[..., 0])
    with pytest.raises(FormatError, match=r'expected a PNG in RGB, got one'):
        list(coco_panoptic.read(source))
    with pytest.raises(FormatError, match=r'--option masks=FOLDER'):
        list(coco_panoptic.read(source.rename(tmp_path / 'other.json')))


@given(st.integers(0, 2**32))
@MODEST
def test_fuzz(tmp_path: Path, seed: int) -> None:
    sample = json.loads(json.dumps(CONTENT))
    path = make(tmp_path)
    for turn in range(4):
        fuzz_json(coco_panoptic.read, path, sample, seed + turn)
