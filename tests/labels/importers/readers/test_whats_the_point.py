"""What's the Point: the real clicks, written ones and broken files."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mmseg_sparse.labels.importers.annotation import ImageAnnotation
from mmseg_sparse.labels.importers.readers import whats_the_point
from mmseg_sparse.utils.untrusted import FormatError

from ....helpers.drawn import points
from ....helpers.fuzzing import MODEST, as_values, fuzz_json
from ....helpers.writers_b import save_json
from ....helpers.writers_b import whats_the_point as write

CLICKS = points(labels=st.integers(0, 20).map(str))
SAMPLE = {
    '2007_000032': [
        {'y': 136.395, 'x': 229.53, 'rank': 1, 'cls': 1},
        {'y': 196.38, 'x': 204.27, 'rank': 1, 'cls': 15},
    ],
    '2007_000033': [{'y': 188.34, 'x': 202.73, 'rank': 1, 'cls': 1}],
}


def test_real_clicks_lie_on_their_class(data_root: Path) -> None:
    samples = data_root / 'voc_samples'
    annotations = list(
        whats_the_point.read(
            samples / 'voc_whats_the_point.json',
            background=samples / 'voc_whats_the_point_bg_from_scribbles.json',
        )
    )
    assert [a.image for a in annotations] == ['2007_000032', '2007_000033']
    labels = []
    for annotation in annotations:
        with Image.open(samples / f'masks/{annotation.image}.png') as file:
            mask = np.asarray(file)
        for click in annotation.shapes:
            x, y = click.xy
            assert str(mask[int(y), int(x)]) == click.label
            labels.append(click.label)
    assert labels == ['0'] * 2 + ['1', '1', '15', '15'] + ['0'] * 4 + ['1'] * 3


@given(st.lists(CLICKS, max_size=5), st.lists(CLICKS, max_size=5))
@MODEST
def test_round_trip(tmp_path: Path, first: list, second: list) -> None:
    path = tmp_path / 'clicks.json'
    save_json(
        path,
        write(
            ImageAnnotation(name, '', shapes=tuple(clicks))
            for name, clicks in (('b', first), ('a', second))
        ),
    )
    read = list(whats_the_point.read(path))
    assert [a.image for a in read] == ['b', 'a']
    for annotation, clicks in zip(read, (first, second), strict=True):
        assert annotation.size is None
        assert [*map(as_values, annotation.shapes)] == [
            *map(as_values, clicks)
        ]


def test_background_lies_below_and_adds_images(tmp_path: Path) -> None:
    source = save_json(tmp_path / 'fg.json', SAMPLE)
    ground = {
        'other': [{'x': 1, 'y': 2, 'cls': 0}],
        '2007_000033': [{'x': 3.5, 'y': 4.5, 'cls': 0}],
    }
    background = save_json(tmp_path / 'bg.json', ground)
    read = {
        a.image: a for a in whats_the_point.read(source, background=background)
    }
    assert list(read) == ['2007_000032', '2007_000033', 'other']
    both = read['2007_000033']
    assert [(p.label, p.xy) for p in both.shapes] == [
        ('0', (3.5, 4.5)), ('1', (202.73, 188.34)),
    ]  # fmt: skip
    assert [p.entry for p in both.shapes] == [
        "bg.json: '2007_000033'[0]", "'2007_000033'[0]",
    ]  # fmt: skip
    assert both.source == str(source)
    assert read['other'].source == str(background)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'cls': 1.0}, r"'a'\[0\].cls: expected a whole number, got 1.0"),
        ({'cls': -1}, r"'a'\[0\].cls: expected a whole number >= 0, got -1"),
        ({'cls': True}, r"'a'\[0\].cls: expected a whole number, got True"),
        ({'x': '3'}, r"'a'\[0\].x: expected a number, got '3'"),
        (
            {'y': 1e300},
            r"'a'\[0\].y: expected a number <= 1000000\.0, got 1e\+300",
        ),
    ],
)
def test_errors_name_file_entry_and_value(
    tmp_path: Path, change: dict, message: str
) -> None:
    click = {'x': 1.0, 'y': 2.0, 'cls': 3, **change}
    path = save_json(tmp_path / 'clicks.json', {'a': [click]})
    with pytest.raises(FormatError, match=rf'clicks\.json: {message}'):
        list(whats_the_point.read(path))


def test_other_errors(tmp_path: Path) -> None:
    path = save_json(tmp_path / 'clicks.json', [SAMPLE])
    with pytest.raises(FormatError, match=r'expected an object, got'):
        list(whats_the_point.read(path))
    save_json(path, {'a': [{'x': 1, 'y': 2}]})
    with pytest.raises(FormatError, match=r"'a'\[0\]\.cls: missing"):
        list(whats_the_point.read(path))
    save_json(path, {'../': []})
    with pytest.raises(FormatError, match=r"name of an image, got '\.\./'"):
        list(whats_the_point.read(path))
    save_json(path, {'a/b': [], 'a\\b': []})
    with pytest.raises(FormatError, match=r'a second entry of the image'):
        list(whats_the_point.read(path))
    path.write_text('{"a": [{"x": NaN, "y": 1, "cls": 1}]}')
    with pytest.raises(FormatError, match=r"not valid JSON: .* got 'NaN,"):
        list(whats_the_point.read(path))
    with pytest.raises(OSError, match='missing'):
        list(whats_the_point.read(tmp_path / 'missing.json'))


def test_swapped_files_are_told(tmp_path: Path) -> None:
    objects = save_json(tmp_path / 'fg.json', SAMPLE)
    ground = save_json(tmp_path / 'bg.json', {})
    with pytest.raises(FormatError, match=r'fg\.json: .*expected 0 .* got 1'):
        list(whats_the_point.read(ground, background=objects))


@given(st.integers(0, 2**32))
@MODEST
def test_fuzz(tmp_path: Path, seed: int) -> None:
    path = tmp_path / 'clicks.json'
    fuzz_json(whats_the_point.read, path, SAMPLE, seed)
    empty = tmp_path / 'fg.json'
    empty.write_text('{}')
    sound = {k: [{**c, 'cls': 0} for c in v] for k, v in SAMPLE.items()}
    fuzz_json(
        lambda path, **options: whats_the_point.read(
            empty, background=path, **options
        ),
        path, sound, seed,
    )  # fmt: skip
