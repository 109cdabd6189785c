"""Getters: what they let through, and what their errors say."""

import numpy as np
import pytest

from mmseg_sparse.labels.importers.readers.shared import (
    coordinate,
    parse_int,
    parse_number,
    xy_list,
)
from mmseg_sparse.utils.untrusted import (
    FormatError,
    get,
    image_name,
    number,
    reason,
    shown,
    size,
)

NAN, INF = float('nan'), float('inf')


def test_get():
    item = {'a': 1, 'b': None, 'c': [2.5], 'd': True}
    assert get(item, 'a', int, 'f') == 1
    as_float = get(item, 'a', float, 'f')
    assert isinstance(as_float, float)
    assert get(item, 'b', (str, type(None)), 'f') is None
    assert get(item, 'x', str, 'f', default='no') == 'no'
    assert get(item['c'], 0, float, 'f') == 2.5
    assert get(item, 'd', bool, 'f') is True


@pytest.mark.parametrize(
    ('obj', 'key', 'kind', 'problem'),
    [
        ({}, 'a', int, r'f: e.a: missing'),
        ([], 0, int, r'f: e\[0\]: missing'),
        ([], 'a', int, r'f: e: expected an object, got \[\]'),
        ({'a': 1}, 0, int, r'f: e: expected a list, got'),
        ({'a': True}, 'a', int, 'e.a: expected a whole number, got True'),
        ({'a': 1.0}, 'a', int, 'e.a: expected a whole number, got 1.0'),
        ({'a': '1'}, 'a', float, "expected a number, got '1'"),
        ({'a': NAN}, 'a', float, 'expected a finite number, got nan'),
        ({'a': 10**400}, 'a', float, 'expected a finite number, got 1000'),
        ({'a': None}, 'a', (str, list),
         'expected a string or a list, got None'),
    ],
)  # fmt: skip
def test_get_refuses(obj, key, kind, problem):
    with pytest.raises(FormatError, match=problem):
        get(obj, key, kind, 'f', 'e')


@pytest.mark.parametrize('value', [NAN, INF, '1', True, None, [1], 10**999])
def test_no_numbers(value):
    with pytest.raises(FormatError, match='f: e: expected a finite number'):
        number(value, 'f', 'e')


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
    points = xy_list([[1, 2.5], (3, -4)], 'f')
    assert points.dtype == np.float64
    assert np.array_equal(points, [[1, 2.5], [3, -4]])
    assert xy_list([], 'f', least=0).shape == (0, 2)


@pytest.mark.parametrize(
    ('values', 'problem'),
    [
        ([[0, 0], [0, NAN]], r'f: e\[1\]: expected a finite number, got nan'),
        ([[1.1e6, 0]], r'e\[0\]: expected a coordinate within 1e\+06'),
        ([[1, 2, 3]], r'e\[0\]: expected \[x, y\], got \[1, 2, 3\]'),
        ([1, 2], r'e\[0\]: expected \[x, y\], got 1'),
        ([[1, '2']], "expected a finite number, got '2'"),
        ([], 'expected at least 1 points, got 0'),
        ({'x': 1}, r"expected a list of \[x, y\], got"),
        ('ab', r"expected a list of \[x, y\], got 'ab'"),
    ],
)  # fmt: skip
def test_bad_coordinates(values, problem):
    with pytest.raises(FormatError, match=problem):
        xy_list(values, 'f', 'e')


def test_sizes():
    assert size(640, 480.0, 'f') == (640, 480)
    assert all(type(side) is int for side in size(640.0, 480, 'f'))
    for width, height, problem in (
        (0, 5, 'e.width: expected a whole number from 1 to 65500, got 0'),
        (5, 1.5, 'e.height: .* got 1.5'),
        (10**9, 10**9, 'e.width: .* got 1000000000'),
        (65500, 65500, '65500 x 65500 pixels are more than 268435456'),
        (NAN, 5, 'e.width: expected a finite number, got nan'),
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
