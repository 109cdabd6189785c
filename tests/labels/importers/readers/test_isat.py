"""ISAT: a faithful file, drawn scenes and broken files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmseg_sparse.labels.image_finder import possible_names
from mmseg_sparse.labels.importers.annotation import ImageAnnotation, Region
from mmseg_sparse.labels.importers.readers import isat
from mmseg_sparse.utils.untrusted import FormatError

from ....helpers.drawn import lines
from ....helpers.fuzzing import MODEST, fuzz_json
from ....helpers.writers_b import save_json
from ....helpers.writers_c import drawn_map
from ....helpers.writers_c import isat as write


def square(category: str, low: float, high: float, **more: Any) -> dict:
    """Return an object as ISAT 1.5 saves it."""
    return {
        'category': category, 'group': 1,
        'segmentation': [[low, low], [high, low], [high, high], [low, high]],
        'area': (high - low) ** 2, 'layer': 1.0,
        'bbox': [low, low, high, high], 'iscrowd': False, 'note': '', **more,
    }  # fmt: skip


FILE = {
    'info': {'description': 'ISAT', 'folder': 'D:\\data\\images',
             'name': 'a.jpg', 'width': 12, 'height': 11, 'depth': 3,
             'note': ''},
    'objects': [
        square('__background__', 3, 6, layer=3.0),
        square('cat', 1, 9, layer=2.0, iscrowd=True),
        square('dog', 0, 4),
    ],
}  # fmt: skip


def test_the_higher_layer_is_on_top(tmp_path: Path) -> None:
    (tmp_path / 'sub').mkdir()
    save_json(tmp_path / 'sub' / 'a.json', FILE)
    (tmp_path / 'sub' / 'isat.yaml').write_text('label: []')
    (annotation,) = isat.read(tmp_path)
    assert possible_names(annotation.image, annotation.base) == ['sub/a.jpg']
    assert (annotation.beside, annotation.size) == ('sub/a', (12, 11))
    found = drawn_map(annotation, (12, 11), ['__background__', 'cat', 'dog'])
    expected = np.full((11, 12), 255)
    expected[:4, :4] = 2
    expected[1:9, 1:9] = 1
    expected[3:6, 3:6] = 0
    np.testing.assert_array_equal(found, expected)


@given(
    st.lists(
        st.builds(
            Region, st.sampled_from('ab'),
            lines(st.floats(-3, 30), least=3).map(lambda line: (line,)),
            st.integers(-2, 2),
        ), max_size=6,
    )
)  # fmt: skip
@MODEST
def test_round_trip(tmp_path: Path, shapes: list[Region]) -> None:
    written = ImageAnnotation('ü b.png', '', (23, 17), tuple(shapes))
    (read,) = isat.read(save_json(tmp_path / 'a.json', write(written)))
    assert (read.image, read.size) == ('ü b.png', (23, 17))
    maps = [drawn_map(a, (23, 17), ['a', 'b']) for a in (read, written)]
    np.testing.assert_array_equal(*maps)


@pytest.mark.parametrize(
    ('change', 'problem'),
    [
        ({'info': FILE['info'] | {'description': 'labelme'}},
         r"info\.description: expected 'ISAT', got 'labelme'; is"),
        ({'info': FILE['info'] | {'height': None}}, r'info\.height: expected'),
        ({'info': FILE['info'] | {'name': ''}}, r'info\.name: expected'),
        ({'objects': None}, 'objects: expected a list, got None'),
        ({'objects': [square('', 0, 4)]}, r'objects\[0\]\.category: expected'),
        ({'objects': [square('a', 0, 4, segmentation=[[0, 1], [2, 3]])]},
         r'objects\[0\]\.segmentation: expected an outline of at least 3'),
        ({'objects': [square('a', 0, 4, layer='top')]},
         r"objects\[0\]\.layer: expected .*, got 'top'"),
    ],
)  # fmt: skip
def test_refused(tmp_path: Path, change: dict, problem: str) -> None:
    path = save_json(tmp_path / 'a.json', FILE | change)
    with pytest.raises(FormatError, match=rf'a\.json: {problem}'):
        list(isat.read(path))


@given(st.integers(0, 2**32))
@MODEST
def test_fuzz(tmp_path: Path, seed: int) -> None:
    sample = json.loads(json.dumps(FILE))
    for turn in range(4):
        fuzz_json(isat.read, tmp_path / 'a.json', sample, seed + turn)
