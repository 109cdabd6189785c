"""Sheets of pictures with column titles, row names and a class legend."""

from collections.abc import Sequence

import cv2
import numpy as np

from .draw import Palette, Picture

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_INK = (40, 40, 40)
_MARGIN = 12


def picture_sheet(
    rows: Sequence[Sequence[Picture]],
    titles: Sequence[str],
    *,
    heading: str = '',
    captions: Sequence[Sequence[str]] | None = None,
    classes: Sequence[str] = (),
    palette: Palette = (),
) -> Picture:
    """Arrange pictures in a grid on white paper.

    Args:
        rows: The pictures, row by row, all ``(H, W, 3)`` of one size.
        titles: One a column.
        heading: A line above all.
        captions: A line below each picture; an empty one leaves no line.
        classes: Names for the legend below; none for no legend.
        palette: The colours of the classes.

    Returns:
        The sheet, RGB.

    Raises:
        ValueError: If there are no pictures or the numbers do not fit.
    """
    _check_grid(rows, titles, captions, classes, palette)
    height, width = rows[0][0].shape[:2]
    parts = [_line(titles, width)]
    for number, row in enumerate(rows):
        gap = np.full((height, _MARGIN, 3), 255, np.uint8)
        pieces = [gap]
        for picture in row:
            pieces += [picture, gap]
        parts.append(np.hstack(pieces))
        names = captions[number] if captions is not None else [''] * len(row)
        parts.append(_line(names, width) if any(names) else _blank(pieces))
    total = parts[0].shape[1]
    if heading:
        parts.insert(0, _text_line(heading, total, 0.6))
    if classes:
        parts.append(_legend(classes, palette, total))
    return np.vstack(parts)


def _blank(pieces: Sequence[Picture]) -> Picture:
    width = sum(piece.shape[1] for piece in pieces)
    return np.full((_MARGIN, width, 3), 255, np.uint8)


def _line(names: Sequence[str], width: int) -> Picture:
    """Return one line of text, each name centred over its column."""
    total = _MARGIN + len(names) * (width + _MARGIN)
    line = np.full((26, total, 3), 255, np.uint8)
    for column, name in enumerate(names):
        scale = _fitting_scale(name, width, 0.5)
        (length, _), _ = cv2.getTextSize(name, _FONT, scale, 1)
        left = _MARGIN + column * (width + _MARGIN)
        left += max(0, width - length) // 2
        _write(line, name, (left, 18), scale)
    return line


def _text_line(text: str, width: int, scale: float) -> Picture:
    line = np.full((36, width, 3), 255, np.uint8)
    scale = _fitting_scale(text, width - 2 * _MARGIN, scale)
    _write(line, text, (_MARGIN, 25), scale)
    return line


def _legend(classes: Sequence[str], palette: Palette, width: int) -> Picture:
    """Return the classes' colours and names, wrapped into lines."""
    lines = []
    line = np.full((30, width, 3), 255, np.uint8)
    left = _MARGIN
    for name, color in zip(classes, palette, strict=False):
        (length, _), _ = cv2.getTextSize(name, _FONT, 0.5, 1)
        if left > _MARGIN and left + 24 + length > width - _MARGIN:
            lines.append(line)
            line = np.full_like(line, 255)
            left = _MARGIN
        line[7:23, left : left + 16] = color
        _write(line, name, (left + 22, 20), 0.5)
        left += 24 + length + 20
    return np.vstack([*lines, line])


def _fitting_scale(text: str, width: int, scale: float) -> float:
    (length, _), _ = cv2.getTextSize(text, _FONT, scale, 1)
    return scale * min(1.0, width / max(1, length))


def _write(
    canvas: Picture, text: str, at: tuple[int, int], scale: float
) -> None:
    cv2.putText(canvas, text, at, _FONT, scale, _INK, 1, cv2.LINE_AA)


def _check_grid(
    rows: Sequence[Sequence[Picture]],
    titles: Sequence[str],
    captions: Sequence[Sequence[str]] | None,
    classes: Sequence[str],
    palette: Palette,
) -> None:
    if not rows or not rows[0]:
        raise ValueError('rows holds no picture')
    shape = rows[0][0].shape
    for row in rows:
        if len(row) != len(titles):
            raise ValueError(
                f'each row needs {len(titles)} pictures, one a title, got '
                f'{len(row)}'
            )
        for picture in row:
            if picture.shape != shape:
                raise ValueError(
                    'all pictures must have one size, got '
                    f'{shape} and {picture.shape}'
                )
    if captions is not None and len(captions) != len(rows):
        raise ValueError(
            f'captions must have {len(rows)} rows, got {len(captions)}'
        )
    if len(classes) > len(palette):
        raise ValueError(
            f'{len(classes)} classes need as many colours, got {len(palette)}'
        )
