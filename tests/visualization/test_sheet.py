"""Sheets: every picture whole and in its place, titles and legend drawn."""

import numpy as np
import pytest

from mmseg_sparse.visualization import picture_sheet

GAP = 12


def pictures(rows: int, columns: int) -> list[list[np.ndarray]]:
    rng = np.random.default_rng(0)
    return [
        [rng.integers(0, 256, (40, 60, 3)).astype(np.uint8)
         for _ in range(columns)]
        for _ in range(rows)
    ]  # fmt: skip


def place(sheet: np.ndarray, picture: np.ndarray) -> tuple[int, int]:
    """Where on the sheet the picture stands."""
    height, width = picture.shape[:2]
    first = (sheet == picture[0, 0]).all(-1)
    for y, x in zip(*np.nonzero(first), strict=True):
        if np.array_equal(sheet[y : y + height, x : x + width], picture):
            return int(y), int(x)
    raise AssertionError('the picture is not on the sheet')


def test_pictures_stand_in_rows_and_columns() -> None:
    rows = pictures(3, 2)
    sheet = picture_sheet(rows, ['left', 'right'])
    places = [[place(sheet, picture) for picture in row] for row in rows]
    for row in places:
        assert row[0][0] == row[1][0]
        assert row[1][1] - row[0][1] == 60 + GAP
    assert [row[0][0] for row in places] == sorted(
        {row[0][0] for row in places}
    )
    assert sheet.dtype == np.uint8


def test_titles_and_captions_are_over_and_under_their_picture() -> None:
    rows = pictures(1, 2)
    plain = picture_sheet(rows, ['', ''], captions=[['', '']])
    (y, left), (_, right) = (place(plain, picture) for picture in rows[0])
    assert (plain[:y] == 255).all()
    sheet = picture_sheet(rows, ['', 'long title'], captions=[['ok', '']])
    over = (sheet[:y] < 255).any((0, 2))
    assert over[right : right + 60].any()
    assert not over[:right].any()
    assert not over[right + 60 :].any()
    under = (sheet[y + 40 :] < 255).any((0, 2))
    assert under[left : left + 60].any()
    assert not under[right:].any()


def test_legend_shows_every_class_and_wraps() -> None:
    palette = [[250 - 30 * i, 17 * i, 40 + i] for i in range(7)]
    classes = [f'class number {i}' for i in range(7)]
    sheet = picture_sheet(
        pictures(1, 4), ['a', 'b', 'c', 'd'], classes=classes, palette=palette
    )
    legend = sheet[26 + 40 + GAP :]
    rows = set()
    for color in palette:
        swatch = np.argwhere((legend == color).all(-1))
        assert len(swatch) == 16 * 16
        rows.add(int(swatch[0, 0]))
    assert len(rows) > 1


def test_heading_adds_a_line() -> None:
    rows = pictures(1, 2)
    plain = picture_sheet(rows, ['a', 'b'])
    sheet = picture_sheet(rows, ['a', 'b'], heading='all of it')
    extra = len(sheet) - len(plain)
    assert np.array_equal(sheet[extra:], plain)
    assert (sheet[:extra] < 128).any()


def test_what_does_not_fit_is_refused() -> None:
    rows = pictures(2, 2)
    with pytest.raises(ValueError, match='no picture'):
        picture_sheet([], [])
    with pytest.raises(ValueError, match=r'needs 3 pictures, .* got 2'):
        picture_sheet(rows, ['a', 'b', 'c'])
    rows[1][1] = rows[1][1][:30]
    with pytest.raises(ValueError, match=r'one size, .* \(30, 60, 3\)'):
        picture_sheet(rows, ['a', 'b'])
    with pytest.raises(ValueError, match='2 rows, got 1'):
        picture_sheet(pictures(2, 1), ['a'], captions=[['x']])
    with pytest.raises(ValueError, match=r'2 classes .* got 1'):
        picture_sheet(
            pictures(1, 1), ['a'], classes=['x', 'y'], palette=[[0, 0, 0]]
        )
