"""Checks: what they let through, and what their errors say."""

import pytest
from msgspec import Struct

from mmseg_sparse.labels.importers.readers.shared import (
    XY,
    Line,
    coordinate,
    parse_int,
    parse_number,
)
from mmseg_sparse.utils.untrusted import (
    FormatError,
    decode_json,
    image_name,
    reason,
    shown,
    size,
)

NAN, INF = float('nan'), float('inf')


class Pair(Struct):
    pair: XY


class Item(Struct):
    whole: int | None = None
    part: float = 0.5
    on: bool = False
    line: Line = []


@pytest.mark.parametrize(
    ('text', 'item'),
    [
        ('{}', Item()),
        ('{"whole": null, "part": 1, "on": true}', Item(None, 1.0, True)),
        ('{"whole": 1, "unknown": [1e5]}', Item(1)),
        ('{"line": [[1, 2.5], [-1e6, 1000000]]}',
         Item(line=[(1, 2.5), (-1e6, 1e6)])),
    ],
)  # fmt: skip
def test_values(text, item):
    found = decode_json(text, Item, 'f')
    assert found == item
    assert isinstance(found.part, float)


@pytest.mark.parametrize(
    ('text', 'problem'),
    [
        ('[]', r'f: e: expected an object, got \[\]'),
        ('{"whole": true}', 'e.whole: expected a whole .* null, got True'),
        ('{"whole": 1.0}', 'e.whole: expected a whole .* null, got 1.0'),
        ('{"part": "1"}', "e.part: expected a number, got '1'"),
        ('{"part": true}', 'e.part: expected a number, got True'),
        ('{"part": [1]}', r'e.part: expected a number, got \[1\]'),
        ('{"part": null}', 'e.part: expected a number, got None'),
        ('{"part": 1e999}', 'e.part: expected a finite number, got inf'),
        ('{"part": 1%s}' % ('0' * 400), 'expected a finite number, got 1000'),
        ('{"part": 1%s}' % ('0' * 9999), 'finite number, got a value too l'),
        ('{"part": NaN}', "f: e: not valid JSON: .*got 'NaN}'"),
        ('{"line": [[0, 0], [0, "2"]]}', r"e.line\[1\]\[1\]: .* got '2'"),
        ('{"line": [[1.1e6, 0]]}', r'\[0\]\[0\]: .* <= 1000000.0, got 11'),
        ('{"line": [[0, -1e7]]}', r'\[0\]\[1\]: .* >= -1000000.0, got -1'),
        ('{"line": [[1, 2, 3]]}', r'\[0\]: .* of length 2, got \[1, 2, 3\]'),
        ('{"line": [1, 2]}', r'e.line\[0\]: expected a list, got 1'),
        ('{"line": []}', r'e.line: .* of length >= 1, got \[\]'),
        ('{"line": "ab"}', "e.line: expected a list, got 'ab'"),
    ],
)  # fmt: skip
def test_wrong_values(text, problem):
    with pytest.raises(FormatError, match=problem):
        decode_json(text, Item, 'f', 'e')


def test_missing_values():
    with pytest.raises(FormatError, match=r'^f: e\[1\]\.pair: missing$'):
        decode_json('[{"pair": [1, 2]}, {}]', list[Pair], 'f', 'e')
    with pytest.raises(FormatError, match=r'^f: pair: missing$'):
        decode_json('{}', Pair, 'f')


def test_spelled_numbers():
    assert parse_number(' -1.5e2 ', 'f') == -150
    assert parse_number('.5', 'f') == 0.5
    assert parse_int(' 42\n', 'f') == 42
    for text in ('', 'nan', 'inf', '1_0', '0x1', '1e999', '1,5', '٣', None):
        with pytest.raises(FormatError, match='expected a finite number'):
            parse_number(text, 'f')
    for text in ('1.0', '', '1e3', '9' * 30, None):
        with pytest.raises(FormatError, match='expected a whole number'):
            parse_int(text, 'f')


def test_coordinates():
    assert coordinate(-1e6, 'f') == -1e6
    with pytest.raises(FormatError, match=r'f: e: .* 1e\+06 pixels, got 1100'):
        coordinate(1.1e6, 'f', 'e')


def test_sizes():
    assert size(640, 480.0, 'f') == (640, 480)
    assert all(type(side) is int for side in size(640.0, 480, 'f'))
    for width, height, problem in (
        (0, 5, 'e.width: expected a whole number from 1 to 65500, got 0'),
        (5, 1.5, 'e.height: .* got 1.5'),
        (10**9, 10**9, 'e.width: .* got 1000000000'),
        (65500, 65500, '65500 x 65500 pixels are more than 268435456'),
        (NAN, 5, 'e.width: expected a whole number .* got nan'),
        (5, INF, 'e.height: expected a whole number .* got inf'),
        (True, 5, 'got True'),
        (10**999, 5, 'e.width: .* got'),
        ('5', 5, "got '5'"),
    ):
        with pytest.raises(FormatError, match=problem):
            size(width, height, 'f', 'e')


def test_image_names():
    assert image_name('a.jpg', 'f') == 'a.jpg'
    assert image_name('x\\y//./ü b.jpg', 'f') == 'x/y/ü b.jpg'
    assert image_name('..a/b..c', 'f') == '..a/b..c'


@pytest.mark.parametrize(
    'name',
    ['', ' ', '.', '/', '/etc/passwd', '../a', 'a/../../b', 'a/..', '..',
     'C:\\a.jpg', 'c:a.jpg', '\\\\host\\a.jpg', '..\\a', 'a\nb', 'a\0b',
     '\ud800', None, 5, ['a']],
)  # fmt: skip
def test_names_that_lead_elsewhere(name):
    with pytest.raises(FormatError, match=r'f: e: .*name'):
        image_name(name, 'f', 'e')


def test_values_are_shown_on_one_short_line():
    assert shown('a\nb') == r"'a\nb'"
    assert shown('ü') == r"'\xfc'"
    for value in ('x' * 10**6, list(range(10**6)), 10**5000, {'a': 'b' * 99}):
        assert len(shown(value)) <= 60
    assert reason(ValueError('two\n lines')) == 'two lines'
    assert reason(MemoryError()) == 'MemoryError'


def test_lists_in_lists_are_shown_without_writing_them_out():
    bomb = ['A' * 50]
    for _ in range(12):
        bomb = [bomb] * 100
    text = shown({'a': bomb})
    assert len(text) <= 60
    assert text.startswith("{'a': [")
