"""What is refused of Supervisely JSON, and how that is said."""

import base64
import io
import random
import zlib
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mmseg_sparse.labels.importers.readers import shared, supervisely
from mmseg_sparse.utils.untrusted import FormatError

from ....helpers.fuzzing import MODEST, damaged, read_or_refuse
from ....helpers.writers_b import bitmap_data, save_json
from .test_supervisely import MASK, SAMPLE, vector


def packed(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode()


def png(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, format='PNG')
    return file.getvalue()


def bitmap(data: Any, origin: Any = (0, 0)) -> dict[str, Any]:
    return {
        'classTitle': 'kiwi', 'geometryType': 'bitmap',
        'bitmap': {'data': data, 'origin': list(origin)},
    }  # fmt: skip


def refused(folder: Path, content: Any, message: str) -> None:
    path = save_json(folder / 'a.json', content)
    with pytest.raises(FormatError, match=rf'a\.json: {message}'):
        list(supervisely.read(path))


@pytest.mark.parametrize(
    ('item', 'message'),
    [
        (vector('cuboid', [[1, 2]]), r'\.geometryType: .* got .cuboid.'),
        (vector('point', [[1, 2], [3, 4]]), r'\.points\.exterior: .* got 2'),
        (vector('rectangle', [[1, 2]]), r'\.exterior: expected 2 .* got 1'),
        (vector('polygon', [[1, 2], [3, 4]]), r'\.points: .* 3 points, got 2'),
        (vector('polygon', [[1, 2], [3, 4], [5, 6]], [[[1, 2]]]),
         r'\.points: .* at least 3 points, got 1'),
        (vector('line', []),
         r'\.exterior: expected a list of length >= 1, got \[\]'),
        (vector('line', [[1, '2']]), r'\.exterior\[0\]\[1\]: .* got .2.'),
        (vector('line', [[1, 2, 3]]), r'\.exterior\[0\]: .* got \[1, 2, 3\]'),
        (vector('line', [[1, 2e6]]), r'\.exterior\[0\]\[1\]: .* got 2000000'),
        ({**vector('line', [[1, 2]]), 'classTitle': ' '},
         r'\.classTitle: .* got . .'),
        (bitmap(bitmap_data(MASK), (1,)), r'\.origin: .* got \[1\]'),
        (bitmap('no base64!'), r'\.data: not zlib data in base64'),
        (bitmap(base64.b64encode(b'no zlib').decode()), r'\.data: not zlib'),
        (bitmap(packed(b'not a PNG')), r'\.data: not a readable PNG'),
        (bitmap(packed(png(MASK)[:45])), r'\.data: not a readable PNG'),
        (bitmap(packed(png(np.zeros((9, 1068), np.uint8)))),
         r'\.data: .*within the image of \(1067, 800\), .* \(1068, 9\)'),
        (bitmap(packed(png(np.zeros((2, 2, 3), np.uint8)))),
         r'\.data: expected a mask, got a picture in RGB'),
        (bitmap(7), r'\.data: expected a string, got 7'),
    ],
)  # fmt: skip
def test_objects(tmp_path: Path, item: dict, message: str) -> None:
    content = {**SAMPLE, 'objects': [item]}
    refused(tmp_path, content, rf'objects\[0\].*{message}')


def test_bitmaps_that_unpack_to_too_much_or_are_cut(tmp_path: Path) -> None:
    whole = zlib.compress(bytes(supervisely.MAX_BITMAP + 1))
    for data in (whole, zlib.compress(png(MASK))[:-3]):
        item = bitmap(base64.b64encode(data).decode())
        refused(
            tmp_path, {**SAMPLE, 'objects': [item]},
            r'objects\[0\]\.bitmap\.data: cut short, or more than 67108864',
        )  # fmt: skip


def test_bitmaps_that_fill_the_memory_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, 'MAX_TOTAL', 25)
    items = [bitmap(bitmap_data(MASK)) for _ in range(3)]  # 12 pixels each
    refused(
        tmp_path, {**SAMPLE, 'objects': items},
        r'.* 36 pixels up to objects\[2\]\.bitmap\.data, more than 25',
    )  # fmt: skip


@pytest.mark.parametrize(
    ('part', 'message'),
    [
        ({'size': {'height': 0, 'width': 5}}, r'size\.height: .* got 0'),
        ({'size': {'width': 5}}, r'size\.height: missing'),
        ({'size': {'height': 9, 'width': 99999}}, r'size\.width: .* 99999'),
        ({'size': [1, 2]}, r'size: expected an object, got \[1, 2\]'),
        ({'tags': [{'id': 3}]}, r'tags\[0\]\.name: missing'),
        ({'tags': [5]}, r'tags\[0\]: expected a string or an object, got 5'),
        ({'objects': None}, r'objects: expected a list, got None'),
    ],
)
def test_parts(tmp_path: Path, part: dict, message: str) -> None:
    refused(tmp_path, {**SAMPLE, **part}, message)


@given(st.integers(0, 2**32))
@MODEST
def test_fuzz_bitmaps(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    content = deepcopy(SAMPLE)
    for turn in range(8):
        picture = png(np.eye(9, 13, dtype=np.uint8))
        data = packed(damaged(picture, rng))
        if turn % 2:
            data = base64.b64encode(
                damaged(zlib.compress(picture), rng)
            ).decode()
        content['objects'] = [bitmap(data)]
        read_or_refuse(
            supervisely.read, save_json(tmp_path / 'a.json', content)
        )
