"""LabelMe files that are broken, or say what cannot be."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmseg_sparse.labels.importers.readers import labelme
from mmseg_sparse.utils.untrusted import FormatError

from ....helpers.fuzzing import MODEST, fuzz_json
from ....helpers.writers_a import png_base64
from .test_labelme import LABELME, X_ANYLABELING, read_one, shape

SMALL = png_base64(np.ones((2, 2), bool))


@pytest.mark.parametrize(('wrong', 'message'), [
    (shape('cuboid', [0, 0]), r"shape_type: 'cuboid' is not supported"),
    (shape('point', [0, 0], [1, 1]),
     r'points: expected 1 \[x, y\] for a point, got 2'),
    (shape('rotation', [0, 0], [1, 1]),
     r'points: expected 4 \[x, y\] for a rotation, got 2'),
    (shape('polygon', [0, 0], [1, 1]), 'at least 3 points, got 2'),
    (shape('line', [0, 0], [1, 'x']), r"points\[1\]\[1\]: .*number, got 'x'"),
    (shape('line', [0, 0], [1e9, 0]),
     r'\[0\]: expected a number <= 1000000\.0, got 1000'),
    (shape('point', [0, 0], label=None), 'label: expected a string'),
    (shape('point', [0, 0], label=' '), "label: .*name of a class, got ' '"),
    (shape('mask', [0, 0], [1, 1]), 'mask: expected a string, got None'),
    (shape('mask', [0, 0], [1, 1], mask='?'), 'mask: not base64'),
    (shape('mask', [0, 0], [1, 1], mask='AAAA'), 'mask: not a PNG$'),
    (shape('mask', [0, 0], [1, 1], mask=png_base64(np.ones((2, 2, 3)))),
     'grey mask, got one in RGB'),
])  # fmt: skip
def test_wrong_shapes_are_named(
    tmp_path: Path, wrong: dict, message: str
) -> None:
    content = LABELME | {'shapes': [LABELME['shapes'][0], wrong]}
    with pytest.raises(FormatError, match=rf'a\.json: shapes\[1\].*{message}'):
        read_one(tmp_path / 'a.json', content)


def test_cut_masks_are_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 2, (40, 50))
    data = base64.b64decode(png_base64(noise))
    whole = len(data) - 21  # two sums and the last chunk follow the pixels
    for stop in [*range(0, whole, 13), whole - 1]:
        text = base64.b64encode(data[:stop]).decode()
        drawn = shape('mask', [0, 0], [49, 39], mask=text)
        with pytest.raises(FormatError, match=r'shapes\[0\]\.mask'):
            read_one(tmp_path / 'a.json', LABELME | {'shapes': [drawn]})


@pytest.mark.parametrize('content', [LABELME, X_ANYLABELING])
@given(seed=st.integers(0, 2**32))
@MODEST
def test_broken_files(tmp_path: Path, content: Any, seed: int) -> None:
    fuzz_json(labelme.read, tmp_path / 'a.json', content, seed)


def test_cut_files(tmp_path: Path) -> None:
    data = json.dumps(LABELME).encode()
    for stop in range(0, len(data), 29):
        (tmp_path / 'a.json').write_bytes(data[:stop])
        with pytest.raises(FormatError, match=r'a\.json'):
            list(labelme.read(tmp_path / 'a.json'))
