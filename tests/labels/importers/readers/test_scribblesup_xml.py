"""ScribbleSup's XML: a faithful sample, written ones and broken files."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmseg_sparse.labels.importers.annotation import ImageAnnotation
from mmseg_sparse.labels.importers.readers import scribblesup_xml
from mmseg_sparse.utils.untrusted import FormatError

from ....helpers.drawn import FLOATS, WHOLE, strokes
from ....helpers.fuzzing import MODEST, as_values, fuzz_bytes
from ....helpers.writers_b import scribblesup_xml as write

SAMPLE = b"""<?xml version="1.0"?>
<annotation>
  <folder>VOC2012</folder>
  <filename>2007_000032.jpg</filename>
  <size>
    <width>500</width>
    <height>281</height>
    <depth>3</depth>
  </size>
  <polygon>
    <tag>aeroplane</tag>
    <point><X>104</X><Y>116</Y></point>
    <point><X>131</X><Y>118.0</Y></point>
    <point><X>160</X><Y> 121 </Y></point>
  </polygon>
  <polygon>
    <tag>background</tag>
    <point><X>12</X><Y>30</Y></point>
  </polygon>
</annotation>
"""


def test_sample(tmp_path: Path) -> None:
    (tmp_path / '2007_000032.xml').write_bytes(SAMPLE)
    (tmp_path / '.2007_000032.xml').write_bytes(b'')
    (annotation,) = scribblesup_xml.read(tmp_path)
    assert annotation.image == '2007_000032'
    assert annotation.source == str(tmp_path / '2007_000032.xml')
    assert annotation.size == (500, 281)
    line, dot = annotation.shapes
    assert as_values(line) == (
        'stroke', 'aeroplane',
        [[104.5, 116.5], [131.5, 118.5], [160.5, 121.5]], None,
    )  # fmt: skip
    assert as_values(dot) == ('stroke', 'background', [[12.5, 30.5]], None)
    assert (line.entry, dot.entry) == ('polygon[0]', 'polygon[1]')


def test_fractions_are_from_the_corner(tmp_path: Path) -> None:
    path = tmp_path / 'a.xml'
    path.write_bytes(SAMPLE.replace(b'<X>12</X>', b'<X>12.25</X>'))
    ((line, dot),) = (a.shapes for a in scribblesup_xml.read(path))
    assert line.points[0].tolist() == [104, 116]
    assert dot.points.tolist() == [[12.25, 30]]


def test_folders_within_are_read(tmp_path: Path) -> None:
    for name in ('b/x.xml', 'a/x.xml', 'c.xml'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(SAMPLE)
    read = scribblesup_xml.read(tmp_path)
    assert [a.image for a in read] == ['a/x', 'b/x', 'c']


@pytest.mark.parametrize('numbers', [FLOATS, WHOLE])
@given(
    st.data(),
    st.none() | st.tuples(st.integers(1, 9000), st.integers(1, 9000)),
)
@MODEST
def test_round_trip(
    tmp_path: Path, numbers: st.SearchStrategy, data: Any, size: tuple | None
) -> None:
    shapes = data.draw(st.lists(strokes(numbers), max_size=5))
    path = tmp_path / 'a.b.xml'
    path.write_bytes(write(ImageAnnotation('', '', size, tuple(shapes))))
    (annotation,) = scribblesup_xml.read(path)
    assert annotation.image == 'a.b'
    assert annotation.size == size
    whole = all((shape.points % 1 == 0).all() for shape in shapes)
    for read, written in zip(annotation.shapes, shapes, strict=True):
        line = replace(written, points=written.points + 0.5 * whole)
        assert as_values(read) == as_values(line)


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        (b'<X>104</X>', b'<X>nan</X>', r"\[0\]\.point\[0\]\.X: .* got 'nan'"),
        (b'<X>104</X>', b'', r'\[0\]\.point\[0\]\.X: .* got None'),
        (b'<Y>30</Y>', b'<Y>1e7</Y>', r'\[1\]\.point\[0\]\.Y: .* 1e\+06'),
        (b'<tag>background</tag>', b'', r'polygon\[1\]\.tag: .* got None'),
        (b'aeroplane', b' ', r"polygon\[0\]\.tag: .* got ' '"),
        (b'<point><X>12</X><Y>30</Y></point>', b'', r'stroke without points'),
        (b'>281<', b'>0<', r'size\.height: .* got 0'),
        (b'>281<', b'>2.5<', r"size\.height: .* got '2\.5'"),
        (b'<width>500</width>', b'', r'size\.width: .* got None'),
        (b'annotation>', b'object>', r"expected <annotation>, got <'object'>"),
        (b'</annotation>', b'', r'not valid XML: '),
        (b'<annotation>', b'<!DOCTYPE a []><annotation>', r'DOCTYPE'),
    ],
)
def test_errors_name_file_entry_and_value(
    tmp_path: Path, old: bytes, new: bytes, message: str
) -> None:
    path = tmp_path / 'a.xml'
    assert old in SAMPLE
    path.write_bytes(SAMPLE.replace(old, new))
    with pytest.raises(FormatError, match=rf'a\.xml: .*{message}'):
        list(scribblesup_xml.read(path))


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r'no \*\.xml in the folder'):
        list(scribblesup_xml.read(tmp_path))


@given(st.integers(0, 2**32))
@MODEST
def test_fuzz(tmp_path: Path, seed: int) -> None:
    for turn in range(8):
        fuzz_bytes(
            scribblesup_xml.read, tmp_path / 'a.xml', SAMPLE, seed + turn
        )
