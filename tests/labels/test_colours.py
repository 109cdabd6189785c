"""Tables of colours, and the pixels of pictures that they name."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mmseg_sparse.labels.colours import (
    indices_of,
    is_grey_picture,
    load_rgba,
    read_colours,
)
from mmseg_sparse.utils.untrusted import FormatError

CAT, DOG = (128, 0, 0), (0, 0, 255)


def table(tmp_path: Path, text: str, name: str = 'colours.txt'):
    path = tmp_path / name
    path.write_text(text)
    return read_colours(path)


@pytest.mark.parametrize(
    'text',
    [
        # CVAT and Datumaro
        '# label:color_rgb:parts:actions\ncat:128,0,0::\ndog:0,0,255:a,b:c\n',
        'cat 128,0,0\n\n# a comment\ndog 0,0,255',
        'cat\t128 0 0\r\ndog\t0 0 255\r\n',
        # label_colors.txt and class_dict.csv of CamVid
        '128 0 0\tcat\n0 0 255\t\tdog\n',
        'name,r,g,b\ncat,128,0,0\ndog,0,0,255\n',
        '"cat" (128, 0, 0)\ndog [0, 0, 255]',
        'cat #800000\n#0000FF dog',
    ],
)
def test_tables_of_tools(text: str, tmp_path: Path) -> None:
    found = table(tmp_path, text)
    assert (found.labels, found.colours) == (('cat', 'dog'), (CAT, DOG))
    assert found.named


@pytest.mark.parametrize(
    ('values', 'grey'),
    [([0, 255], True), ([0, 128, 255], True), ([0, 85, 170, 255], True),
     ([0, 1, 255], False), ([0], False), ([255], False), ([1, 255], False),
     ([0, 254], False), (range(256), False), ([0, 64, 128, 191, 255], True)],
)  # fmt: skip
def test_levels_of_grey(values: list, grey: bool) -> None:
    assert is_grey_picture(values) == grey


def test_a_palette_without_names_counts(tmp_path: Path) -> None:
    found = table(tmp_path, '0 0 0\n128 0 0\n#0000ff\n')
    assert found.labels == ('0', '1', '2')
    assert found.colours == ((0, 0, 0), CAT, DOG)
    assert not found.named


def test_names_with_numbers_and_spaces(tmp_path: Path) -> None:
    found = table(tmp_path, 'lane 1 1,2,3\na:b:4,5,6::\n128 128,0,0\n')
    assert found.labels == ('lane 1', 'a:b', '128')
    assert found.colours == ((1, 2, 3), (4, 5, 6), CAT)


def test_several_colours_of_one_class_and_dataset_types(
    tmp_path: Path,
) -> None:
    found = table(tmp_path, 'cat 1,0,0\ncat 2,0,0\ncat 1,0,0\n')
    assert found.labels == ('cat', 'cat')
    voc = read_colours(Path('PascalVOCDataset'))
    assert voc.labels[8:9] == ('cat',)
    assert voc.colours[8] == (64, 0, 0)
    assert voc.labels[voc.colours.index((224, 224, 192))] == '255'


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'expected lines such as'),
        ('cat 1,2,3\ndog 1,2', r"line 2: expected a line .*'dog 1,2'"),
        ('cat 1,2,300', r'line 1: expected a colour .* \(1, 2, 300\)'),
        ('cat 1,2,3\ndog 1,2,3', r'cat and dog have the same colour'),
        ('cat 1,2,3\n4,5,6', r'in every line or in none.*\(4, 5, 6\)'),
    ],
)
def test_wrong_tables(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=message):
        table(tmp_path, text)


def picture(path: Path, mode: str = 'RGB', **options: object) -> Path:
    """Write 5 x 7 pixels: cat, in it a dog of 2 x 3."""
    pixels = np.full((5, 7, 3), CAT, np.uint8)
    pixels[1:3, 2:5] = DOG
    adaptive = Image.Palette.ADAPTIVE
    converted = Image.fromarray(pixels).convert(mode, palette=adaptive)
    converted.save(path, **options)
    return path


WANTED = np.zeros((5, 7), int)
WANTED[1:3, 2:5] = 1


@pytest.mark.parametrize(
    ('name', 'mode'),
    [('a.png', 'RGB'), ('a.png', 'RGBA'), ('a.png', 'P'), ('a.bmp', 'RGB'),
     ('a.tif', 'RGB'), ('a.gif', 'P'), ('a.webp', 'RGB')],
)  # fmt: skip
def test_pictures_of_every_mode(name: str, mode: str, tmp_path: Path) -> None:
    options = dict(lossless=True) if name.endswith('webp') else {}
    path = picture(tmp_path / name, mode, **options)
    names = table(tmp_path, 'cat 128,0,0\ndog 0,0,255')
    found = indices_of(load_rgba(path), names, path)
    np.testing.assert_array_equal(found, WANTED)


def test_transparent_pixels_have_no_label(tmp_path: Path) -> None:
    rgba = np.array(Image.open(picture(tmp_path / 'a.png', 'RGBA')))
    rgba[0, 0] = 0
    names = table(tmp_path, 'cat 128,0,0\ndog 0,0,255')
    found = indices_of(rgba, names, 'a.png')
    assert found[0, 0] == -1
    assert (found == -1).sum() == 1
    rgba[0, 0] = (*CAT, 120)  # half a stroke
    with pytest.raises(FormatError, match=r'1 of 35 .*\(128, 0, 0, 120\)'):
        indices_of(rgba, names, 'a.png')


def test_colours_that_are_not_in_the_table(tmp_path: Path) -> None:
    path = picture(tmp_path / 'a.jpg', quality=80, subsampling=0)
    names = table(tmp_path, 'cat 128,0,0\ndog 0,0,255')
    rgba = load_rgba(path)
    with pytest.raises(
        FormatError,
        match=r'a\.jpg: \d+ of 35 pixels have \d+ colours that .*colours\.txt '
        r"does not name: .* nearest to '(cat|dog)' \(.*tolerance=\d+",
    ):
        indices_of(rgba, names, path)
    # What is left after JPEG is near, or has no label.
    found = indices_of(rgba, names, path, tolerance=32, unknown=True)
    known = found >= 0
    assert known.mean() > 0.5
    np.testing.assert_array_equal(found[known], WANTED[known])


def test_the_error_by_hand(tmp_path: Path) -> None:
    rgba = np.full((2, 3, 4), 255, np.uint8)
    rgba[..., :3] = CAT
    rgba[0, :2, :3] = (120, 4, 0)
    rgba[1, 0, :3] = (10, 10, 200)
    names = table(tmp_path, 'cat 128,0,0\ndog 0,0,255')
    with pytest.raises(FormatError) as error:
        indices_of(rgba, names, 'a.png')
    assert '3 of 6 pixels have 2 colours that ' in str(error.value)
    assert (
        "(120, 4, 0) in 2, nearest to 'cat' (128, 0, 0); (10, 10, 200) "
        "in 1, nearest to 'dog' (0, 0, 255). Add" in str(error.value)
    )
    # 8 in the first channel; 55 in the last.
    found = indices_of(rgba, names, 'a', tolerance=8, unknown=True)
    assert found.tolist() == [[0, 0, 0], [-1, 0, 0]]
    with pytest.raises(FormatError, match='1 of 6'):
        indices_of(rgba, names, 'a', tolerance=54)
    assert (indices_of(rgba, names, 'a', tolerance=55) >= 0).all()


COLOURS = st.tuples(*[st.integers(0, 255)] * 3)


@given(st.lists(COLOURS, min_size=1, max_size=9, unique=True), st.data())
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory,
    colours: list,
    data: st.DataObject,
) -> None:
    folder = tmp_path_factory.mktemp('colours')
    lines = [f'class {k} {r},{g},{b}' for k, (r, g, b) in enumerate(colours)]
    names = table(folder, '\n'.join(lines))
    labels = np.array(
        data.draw(st.lists(st.integers(0, len(colours) - 1), min_size=1))
    )[None]
    pixels = np.array(colours, np.uint8)[labels]
    Image.fromarray(pixels).save(folder / 'a.png')
    found = indices_of(load_rgba(folder / 'a.png'), names, 'a.png')
    np.testing.assert_array_equal(found, labels)
