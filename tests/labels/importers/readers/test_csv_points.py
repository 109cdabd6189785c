"""Tables of points: CoralNet's, others, and broken ones."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmseg_sparse.labels.importers.readers import csv_points
from mmseg_sparse.utils.untrusted import FormatError

from ....helpers.drawn import NAMES, WHOLE, points
from ....helpers.fuzzing import MODEST, as_values, fuzz_bytes
from ....helpers.writers_b import csv_points as write

#: As CoralNet exports annotations, with an optional column.
CORALNET = """\
Name,Row,Column,Label,Machine confidence 1
reef_01.jpg,1254,352,Porit,97
reef_01.jpg,37,2000,Sand,60

"site 2, dive 3.jpg",0,0,Porit,99
reef_01.jpg,12,13,Porit,88
"""
MIDDLES = WHOLE.map(lambda index: index + 0.5)


def read_text(folder: Path, text: str, **options: dict) -> list:
    path = folder / 'points.csv'
    path.write_text(text, encoding='utf-8')
    return list(csv_points.read(path, **options))


def test_coralnet_row_before_column(tmp_path: Path) -> None:
    first, second = read_text(tmp_path, CORALNET)
    assert (first.image, second.image) == ('reef_01.jpg', 'site 2, dive 3.jpg')
    assert [(p.label, p.xy) for p in first.shapes] == [
        ('Porit', (352.5, 1254.5)), ('Sand', (2000.5, 37.5)),
        ('Porit', (13.5, 12.5)),
    ]  # fmt: skip
    assert [p.entry for p in first.shapes] == ['line 2', 'line 3', 'line 6']
    assert second.shapes[0].xy == (0.5, 0.5)
    assert first.size is None
    assert first.tags == ()


@pytest.mark.parametrize('header', ['Label code', 'label_code', 'LABEL'])
def test_coralnet_s_codes_and_whole_numbers(
    tmp_path: Path, header: str
) -> None:
    text = f'Name,Row,Column,{header},Label ID\na.jpg,12.0,3.00,Porit,7\n'
    (annotation,) = read_text(tmp_path, text)
    (point,) = annotation.shapes
    assert (point.label, point.xy) == ('Porit', (3.5, 12.5))


@given(
    st.lists(st.tuples(NAMES, points(MIDDLES)), max_size=8),
    st.sampled_from(',;\t'),
)
@MODEST
def test_round_trip_of_pixels(
    tmp_path: Path, rows: list, delimiter: str
) -> None:
    check_round_trip(tmp_path, rows, True, delimiter)


@given(st.lists(st.tuples(NAMES, points()), max_size=8))
@MODEST
def test_round_trip_of_coordinates(tmp_path: Path, rows: list) -> None:
    check_round_trip(tmp_path, rows, False, ',')


def check_round_trip(
    folder: Path, rows: list, pixels: bool, delimiter: str
) -> None:
    text = write(rows, pixels=pixels, delimiter=delimiter)
    read = read_text(folder, text)
    assert [a.image for a in read] == list(dict(rows))
    for annotation in read:
        assert [*map(as_values, annotation.shapes)] == [
            as_values(p) for name, p in rows if name == annotation.image
        ]


@pytest.mark.parametrize(
    'text',
    [
        'Y,X,Image,Class\n7.25,3,a.png,cat\n',
        '\ufeffx,y,filename,label\r\n3,7.25,a.png,cat\r\n',
        'y;label;x;Name\n7.25;cat;3;a.png\n',
        'LABEL\tname\tX\tconfidence\ty\ncat\ta.png\t3\t,,,,\t7.25\n',
        'x, y, image name, label\n 3, 7.25, a.png, cat\n',
    ],
)
def test_headers(tmp_path: Path, text: str) -> None:
    (annotation,) = read_text(tmp_path, text)
    assert annotation.image == 'a.png'
    (point,) = annotation.shapes
    assert (point.label, point.xy) == ('cat', (3.0, 7.25))


def test_columns_by_name(tmp_path: Path) -> None:
    text = (
        'photo,Row,Column,px,py,species,Label\n'
        'a.png,1,2,30.5,40.5,coral,unsure\n'
    )
    names = {'image': 'photo', 'x': 'px', 'y': 'py', 'label': 'Species'}
    (annotation,) = read_text(tmp_path, text, columns=names)
    (point,) = annotation.shapes
    assert (point.label, point.xy) == ('coral', (30.5, 40.5))
    (annotation,) = read_text(tmp_path, text, columns={'image': 'photo'})
    (point,) = annotation.shapes
    assert (point.label, point.xy) == ('unsure', (2.5, 1.5))
    with pytest.raises(ValueError, match=r"columns are image.* \['foto'\]"):
        read_text(tmp_path, text, columns={'foto': 'photo'})


def test_an_exact_name_beats_the_case(tmp_path: Path) -> None:
    text = 'image,Image,x,y,label\na.png,b.png,1,2,cat\n'
    (annotation,) = read_text(tmp_path, text, columns={'image': 'Image'})
    assert annotation.image == 'b.png'


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', r'header: expected columns .* got \[\]'),
        ('Name,Row,Label\n', r'header: expected columns Row and Column'),
        ('Name,Row,Column,x,y,Label\n', r'header: expected columns Row'),
        ('Name,Row,Column\n', r'one column for the label .* got 0'),
        ('Name,name,x,y,label\n', r'one column for the image .* got 2'),
        ('Name,Label,x,X,y\n', r'one column for the x .* got 2'),
        ('name,x,y,label\na,1,2\n', r'line 2: expected 4 fields, got 3'),
        ('name,x,y,label\na,1,,c\n', r"line 2, y: .*number, got ''"),
        ('name,x,y,label\na,nan,1,c\n', r"line 2, x: .*number, got 'nan'"),
        ('name,x,y,label\na,1_0,1,c\n', r"line 2, x: .*number, got '1_0'"),
        ('name,x,y,label\na,1e9,1,c\n', r'line 2, x: .*coordinate.* got 10'),
        ('name,x,y,label\na,1,1, \n', r"line 2: .*name of a class, got ' '"),
        ('name,x,y,label\na/,1,1,c\n', r"line 2: .*an image, got 'a/'"),
        ('Name,Row,Column,Label\na,1.5,2,c\n', r"Row: .*whole .* got '1.5'"),
        ('Name,Row,Column,Label\na,1,x,c\n', r"Column: .*number, got 'x'"),
        ('name,x,y,label\n"a,1,1,c\n', r'line 2: not valid CSV: unexpected'),
    ],
)
def test_errors_name_file_line_and_value(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(FormatError, match=rf'points\.csv: .*{message}'):
        read_text(tmp_path, text)


def test_no_utf8(tmp_path: Path) -> None:
    path = tmp_path / 'points.csv'
    path.write_bytes('name,x,y,label\na,1,2,Straße\n'.encode('latin1'))
    with pytest.raises(FormatError, match=r'points\.csv: byte 25: not UTF-8'):
        list(csv_points.read(path))


@given(st.integers(0, 2**32))
@MODEST
def test_fuzz(tmp_path: Path, seed: int) -> None:
    for turn in range(8):
        fuzz_bytes(
            csv_points.read, tmp_path / 'points.csv', CORALNET.encode(),
            seed + turn,
        )  # fmt: skip
