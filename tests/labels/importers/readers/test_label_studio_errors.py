"""Label Studio's exports that are broken, or say what cannot be."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmseg_sparse.labels.importers.readers import label_studio
from mmseg_sparse.utils.untrusted import FormatError

from ....helpers.fuzzing import MODEST, fuzz_json
from .test_label_studio import BRUSH, CHOICE, RLE, SHAPES, read, result, task

CLICK = SHAPES[0]


def click(**fields: Any) -> dict[str, Any]:
    return CLICK | fields


def moved(**value: Any) -> dict[str, Any]:
    return CLICK | {'value': CLICK['value'] | value}


def brush(**value: Any) -> dict[str, Any]:
    return BRUSH | {'value': BRUSH['value'] | value}


@pytest.mark.parametrize(('wrong', 'message'), [
    (click(type='videorectangle'), r"\.type: 'videorectangle' is not supp"),
    (click(type='keypoint'), ': the keypoint has no label'),
    (click(image_rotation=90), 'image_rotation: turned .* got 90'),
    (click(item_index=1), 'item_index: .*several images .* got 1'),
    (click(original_width=None), r'original\.width: .* 1 to 65500, got N'),
    (click(original_width=0), r'original\.width: .* 1 to 65500, got 0'),
    (click(value=[]), r'value: expected an object, got \[\]'),
    (moved(x='5'), r"value\.x: expected a number, got '5'"),
    (moved(x=1e300),
     r'value\.x: expected a number <= 1000000\.0, got 1e\+300'),
    (moved(x=9e5), r'value.*: expected a coordinate within .* got 5400000'),
    (moved(keypointlabels=[]), r'value\.keypointlabels: .* has no label'),
    (moved(keypointlabels=[3]), r'value\.keypointlabels\[0\]: .* got 3'),
    (result('polygonlabels', points=[[0, 0], [1, 1]], polygonlabels=['a']),
     r'value\.points: .*at least 3 points, got 2'),
    (result('rectanglelabels', x=1, y=1, width=-1, height=2,
            rectanglelabels=['a']),
     r'value\.width: expected a number >= 0\.0, got -1'),
    (brush(format='png'), r"value\.format: expected 'rle', got 'png'"),
    (brush(rle=[]), r'value\.rle: cut short'),
    (brush(rle=[1, 256]), r'value\.rle\[1\]: expected 0 to 255, got 256'),
    (brush(rle=[10**40]), r'value\.rle\[0\]: expected 0 to 255, got 1000'),
    (brush(rle=[0, 0, 0, 119, *RLE[4:]]), '4 x 6 x 5 values .* got 119'),
    (BRUSH | {'original_width': 7}, '4 x 7 x 5 values .* got 120'),
])  # fmt: skip
def test_wrong_results_are_named(
    tmp_path: Path, wrong: Any, message: str
) -> None:
    where = r'a\.json: tasks\[1\]\.annotations\[0\]\.result\[1\]'
    with pytest.raises(FormatError, match=f'{where}.*{message}'):
        read(tmp_path / 'a.json', [task(), task(CHOICE, wrong)])


@pytest.mark.parametrize(('content', 'message'), [
    ({}, r'expected a list, got \{\}'),
    ([{'image': 'a.jpg', 'label': []}], 'not JSON-MIN'),
    ([task(data=3)], r'tasks\[0\]\.data: expected an object, got 3'),
    ([task(data={'image': ['a.jpg', 'b.jpg']})], r"image: .*got \['a.jpg'"),
    ([task(data={'a': 'a.jpg', 'b': 'b.jpg'})], r"got \['a', 'b'\]"),
    ([task(data={'text': 'hello'})], r"names a picture, got \['text'\]"),
    ([task(data={'image': 'data:image/png;base64,AA'})], 'has no name'),
    ([task(data={'image': '/etc/'})], r"image: .* got '/etc/'"),
    ([task(data={'image': '/data/local-files/?d='})], 'image: .*'),
    ([task(data={'image': 'https://host'})], 'image: .*'),
    ([task(annotations=[{'was_cancelled': 1}])], r'\[0\]\.was_cancelled'),
    ([task(annotations=[{'id': 3}])], r'annotations\[0\]\.result: missing'),
    ([task(CLICK, BRUSH)], r'several sizes: \[\(6, 5\), \(600, 400\)\]'),
])  # fmt: skip
def test_wrong_tasks_are_named(
    tmp_path: Path, content: Any, message: str
) -> None:
    with pytest.raises(FormatError, match=rf'a\.json: .*{message}'):
        read(tmp_path / 'a.json', content)


def test_a_lie_about_sizes_costs_nothing(tmp_path: Path) -> None:
    lie = BRUSH | {'original_width': 65500, 'original_height': 65500}
    with pytest.raises(FormatError, match=r'result\[0\]\.original: .* more'):
        read(tmp_path / 'a.json', [task(lie)])


@pytest.mark.parametrize('stop', range(len(RLE) - 2))
def test_cut_brush_strokes(tmp_path: Path, stop: int) -> None:
    with pytest.raises(FormatError, match=r'value\.rle: cut short'):
        read(tmp_path / 'a.json', [task(brush(rle=RLE[:stop]))])


@given(seed=st.integers(0, 2**32))
@MODEST
def test_broken_files(tmp_path: Path, seed: int) -> None:
    content = [task(*SHAPES, CHOICE), task(BRUSH)]
    fuzz_json(label_studio.read, tmp_path / 'a.json', content, seed)


def test_cut_files(tmp_path: Path) -> None:
    data = json.dumps([task(*SHAPES, CHOICE)]).encode()
    for stop in range(0, len(data), 29):
        (tmp_path / 'a.json').write_bytes(data[:stop])
        with pytest.raises(FormatError, match=r'a\.json'):
            list(label_studio.read(tmp_path / 'a.json'))
