"""The tables of VIA 1 and 2: as the JSON, and broken ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmseg_sparse.labels.importers.annotation import ImageAnnotation
from mmseg_sparse.labels.importers.readers import via
from mmseg_sparse.utils.untrusted import FormatError

from ....helpers.drawn import LABELS, points, regions, strokes
from ....helpers.fuzzing import MODEST, as_values, fuzz_bytes
from ....helpers.writers_b import via as write_json
from ....helpers.writers_c import drawn_map, via_table

#: As VIA 1.0.6 exports it.
TABLE = """\
#filename,file_size,file_attributes,region_count,region_id,\
region_shape_attributes,region_attributes
a.jpg,129855,"{""caption"":""a, b""}",3,0,"{""name"":""polygon"",\
""all_points_x"":[1,5,5,1],""all_points_y"":[1,1,4,1]}",\
"{""class"":""the \\""red\\"" dog""}"
a.jpg,129855,"{}",3,1,"{""name"":""point"",""cx"":9,""cy"":7}",\
"{""class"":""cat""}"
b.jpg,7,"{}",0,0,"{}","{}"
a.jpg,129855,"{}",3,2,"{""name"":""rect"",""x"":2,""y"":3,""width"":4,\
""height"":2}","{""class"":""cat""}"
"""


def read(folder: Path, text: str, **options: Any) -> list[ImageAnnotation]:
    path = folder / 'via_region_data.csv'
    path.write_text(text, 'utf-8')
    return list(via.read(path, **options))


@pytest.mark.parametrize('start', ['', '\ufeff'])
def test_a_table_of_via_1(tmp_path: Path, start: str) -> None:
    first, second = read(tmp_path, start + TABLE)
    assert (first.image, second.image, second.shapes) == ('a.jpg', 'b.jpg', ())
    assert first.tags == ()
    assert [as_values(shape) for shape in first.shapes] == [
        ('region', 'the "red" dog', [[[1, 1], [5, 1], [5, 4]]]),
        ('point', 'cat', (9, 7)),
        ('region', 'cat', [[[2, 3], [6, 3], [6, 5], [2, 5]]]),
    ]
    assert first.shapes[1].entry == (
        "'a.jpg129855'.regions['line 3'].shape_attributes"
    )


@given(
    st.lists(
        st.tuples(
            st.lists(points() | strokes() | regions(holes=0), max_size=4),
            st.lists(LABELS, max_size=3, unique=True),
        ), max_size=3,
    ), st.booleans(),
)  # fmt: skip
@MODEST
def test_round_trip(tmp_path: Path, images: Any, older: bool) -> None:
    written = [
        ImageAnnotation(f'{i}/ä,"b.jpg', '', None, tuple(shapes), tuple(tags))
        for i, (shapes, tags) in enumerate(images)
    ]
    found = read(tmp_path, via_table(write_json(written), older))
    labels = sorted({s.label for a in written for s in a.shapes})
    for one, other in zip(found, written, strict=True):
        assert (one.image, one.tags) == (other.image, other.tags)
        maps = [drawn_map(a, (70, 50), labels) for a in (one, other)]
        np.testing.assert_array_equal(*maps)


@pytest.mark.parametrize(
    ('change', 'problem'),
    [
        (('region_attributes', 'attributes'),
         r'header: expected one column region_attributes, got \['),
        (('{""name"":""point"",', '{""name"":""point"",,'),
         r'line 3, region_shape_attributes: not valid JSON'),
        ((',3,2,', ',3,'), 'line 5: expected 7 fields, got 6'),
        (('""cx"":9,', ''), r"regions\['line 3'\]\.shape_attr.*cx: missing"),
        (('b.jpg,7,"{}"', 'b.jpg,7,"[]"'),
         r'line 4, file_attributes: expected an object'),
        (('b.jpg,7,"{}"', 'b.jpg,7,"{'), r'not valid CSV: '),
    ],
)  # fmt: skip
def test_refused(tmp_path: Path, change: Any, problem: str) -> None:
    text = TABLE.replace(*change)
    assert text != TABLE
    with pytest.raises(FormatError, match=rf'data\.csv: .*{problem}'):
        read(tmp_path, text)


def test_lines_that_are_malformed_can_be_left_out(tmp_path: Path) -> None:
    errors: list[FormatError] = []
    text = TABLE.replace('""name"":""point"",', '""name"":""point"",,')
    first, _ = read(tmp_path, text, on_error=errors.append)
    assert len(first.shapes) == 2
    assert len(errors) == 1


@given(st.integers(0, 2**32))
@MODEST
def test_fuzz(tmp_path: Path, seed: int) -> None:
    for turn in range(4):
        path = tmp_path / 'a.csv'
        fuzz_bytes(via.read, path, TABLE.encode(), seed + turn)
