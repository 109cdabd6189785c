"""What readers do alike: list files, name classes, close outlines."""

from pathlib import Path

import numpy as np
import pytest

from mmseg_sparse.labels.importers.readers.shared import (
    class_name,
    ring,
    source_files,
)
from mmseg_sparse.utils.untrusted import FormatError


def test_a_file_is_itself_whatever_its_suffix(tmp_path: Path) -> None:
    path = tmp_path / 'labels.txt'
    path.write_text('')
    assert source_files(path, ['.json']) == [path]
    with pytest.raises(FileNotFoundError):
        source_files(tmp_path / 'missing', ['.json'])


def test_files_of_a_folder(tmp_path: Path) -> None:
    for name in ('b.JSON', 'a.json', '._a.json', 'c.xml', 'in/d.json'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('')
    (tmp_path / 'folder.json').mkdir()

    def names(suffixes: list[str], **options: bool) -> list[str]:
        found = source_files(tmp_path, suffixes, **options)
        return [path.relative_to(tmp_path).as_posix() for path in found]

    assert names(['.json']) == ['a.json', 'b.JSON']
    assert names(['.json', '.xml']) == ['a.json', 'b.JSON', 'c.xml']
    assert names(['.json'], recursive=True) == [
        'a.json', 'b.JSON', 'in/d.json',
    ]  # fmt: skip
    with pytest.raises(FormatError, match=r'no \*\.png or \*\.tif in the fol'):
        names(['.png', '.tif'])


def test_class_names() -> None:
    assert class_name(' potted plant\n', 'f', 'e') == 'potted plant'
    assert class_name('Straße\u00a0Nord', 'f', 'e') == 'Straße\u00a0Nord'
    for value in (None, 3, '', ' \t', 'a\tb', 'a\x00', '\ud800'):
        with pytest.raises(FormatError, match=r'^f: e: .*the name') as caught:
            class_name(value, 'f', 'e')
        assert ascii(value) in str(caught.value)


def test_rings() -> None:
    corners = np.array([[0.0, 0], [4, 0], [4, 3]])
    closed = np.vstack([corners, corners[:1]])
    assert np.array_equal(ring(corners, 'f', 'e'), corners)
    assert np.array_equal(ring(closed, 'f', 'e'), corners)
    assert len(closed) == 4  # the argument is as it was
    for short in (corners[:2], closed[[0, 1, 0]], corners[:0]):
        with pytest.raises(FormatError, match=r'f: e: .* 3 points, got [02]'):
            ring(short, 'f', 'e')
