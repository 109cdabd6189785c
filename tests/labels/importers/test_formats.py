"""The readers by name, and options from a command line."""

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from mmseg_sparse.labels.importers import (
    FORMATS,
    load_reader,
    reader_options,
)
from mmseg_sparse.labels.importers import (
    formats as registry,
)
from mmseg_sparse.labels.importers.annotation import ImageAnnotation


@pytest.mark.parametrize('name', FORMATS)
def test_every_format_has_a_reader(name, tmp_path):
    read = load_reader(name)
    first, *others = inspect.signature(read).parameters.values()
    assert first.name == 'source'
    assert first.annotation is Path
    assert all(other.kind is other.KEYWORD_ONLY for other in others)
    assert all(other.default is not other.empty for other in others)
    assert inspect.getdoc(read)
    with pytest.raises(OSError, match='missing'):
        list(read(tmp_path / 'missing'))


def test_unknown_formats():
    with pytest.raises(ValueError, match="'yolo', expected one of labelme, "):
        load_reader('yolo')


def test_numbered_formats_are_formats():
    assert set(registry.NUMBERED) <= set(FORMATS)
    assert set(registry.PIXEL_STROKES) <= set(FORMATS)


def read(
    source: Path,
    *,
    number: int = 0,
    path: Path | None = None,
    name: str | None = None,
    yes: bool = False,
    parts: Mapping[str, str] | None = None,
) -> Iterator[ImageAnnotation]:
    yield from ()


@pytest.fixture
def one(monkeypatch):
    monkeypatch.setitem(FORMATS, 'one', __name__)


@pytest.mark.usefixtures('one')
def test_options_become_what_the_reader_takes():
    assert reader_options('one', []) == {}
    assert reader_options(
        'one',
        ['number=-3', 'path=a/b', 'name=x=y', 'yes=true', 'parts.a=1',
         'parts.b.c=2'],
    ) == {
        'number': -3, 'path': Path('a/b'), 'name': 'x=y', 'yes': True,
        'parts': {'a': '1', 'b.c': '2'},
    }  # fmt: skip


@pytest.mark.usefixtures('one')
@pytest.mark.parametrize(
    ('setting', 'problem'),
    [
        ('number', "expected key=value, got 'number'"),
        ('number=1.5', "expected a number: 'number=1.5'"),
        ('yes=1', "expected true or false: 'yes=1'"),
        ('parts=1', "parts takes parts.NAME=VALUE, got 'parts=1'"),
        ('name.a=1', "option name has no parts: 'name.a=1'"),
        ('source=x', "the format one has no option 'source'; it has: name, "),
    ],
)
def test_bad_options(setting, problem):
    with pytest.raises(ValueError, match=problem):
        reader_options('one', [setting])
