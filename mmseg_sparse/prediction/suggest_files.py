"""Writes suggestions: a table, a list of names and a sheet of pictures."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import mmcv
import numpy as np
from numpy.typing import NDArray

from ..utils.atomic import write_all_whole
from ..visualization import encode_png, fit_into, on_paper, picture_sheet
from .suggest import Suggestion

TABLE, NAMES, SHEET = 'suggestions.csv', 'images.txt', 'sheet.png'
#: Pictures of the sheet: how many at most, in a row, height and width.
SHOWN, IN_A_ROW, SIZE = 24, 3, (320, 420)
#: Colours of the regions, best first.
COLOURS = ((255, 80, 0), (255, 190, 0), (90, 200, 255))


def write_suggestions(
    found: Sequence[Suggestion],
    classes: Sequence[str],
    out: Path,
    *,
    overwrite: bool = False,
) -> None:
    """Write the three files, or none.

    Raises:
        FileExistsError: If one is there and ``overwrite`` is not set.
    """
    for name in (TABLE, NAMES, SHEET):
        if (out / name).exists() and not overwrite:
            raise FileExistsError(
                f'{str(out / name)!r} exists: --overwrite replaces it'
            )
    names = ''.join(f'{one.picture.name}\n' for one in found)
    write_all_whole(
        {
            out / TABLE: _table(found, classes).encode(),
            out / NAMES: names.encode(),
            out / SHEET: encode_png(_sheet(found, classes)),
        }
    )


def _table(found: Sequence[Suggestion], classes: Sequence[str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(
        ['rank', 'image', 'image_score', 'x', 'y', 'width', 'height',
         'score', 'predicted', 'group']
    )  # fmt: skip
    for rank, one in enumerate(found, 1):
        for region in one.regions:
            writer.writerow(
                [rank, one.picture.name, f'{one.score:.4f}', region.x,
                 region.y, region.width, region.height,
                 f'{region.score:.4f}', classes[region.label],
                 one.group or '']
            )  # fmt: skip
    return text.getvalue()


def _sheet(
    found: Sequence[Suggestion], classes: Sequence[str]
) -> NDArray[np.uint8]:
    members: dict[str, list[Suggestion]] = {}
    for one in found:  # the best image of a group comes first
        name = one.picture.name if one.group is None else one.group
        members.setdefault(name, []).append(one)
    pictures, captions = [], []
    for rank, (name, own) in enumerate(list(members.items())[:SHOWN], 1):
        pictures.append(on_paper(_outlined(own[0]), SIZE, centred=True))
        labels = dict.fromkeys(classes[r.label] for r in own[0].regions)
        number = '' if own[0].group is None else f' ({len(own)} in the group)'
        captions.append(f'{rank}. {name}{number}: {", ".join(labels)}')
    while len(pictures) % IN_A_ROW:
        pictures.append(np.full_like(pictures[0], 255))
        captions.append('')
    steps = range(0, len(pictures), IN_A_ROW)
    return picture_sheet(
        [pictures[i : i + IN_A_ROW] for i in steps],
        [''] * IN_A_ROW,
        captions=[captions[i : i + IN_A_ROW] for i in steps],
        heading='Where the next strokes would teach most (best region of an '
        'image red, second yellow, third blue)',
    )


def _outlined(one: Suggestion) -> NDArray[np.uint8]:
    image = mmcv.imread(str(one.picture.path), channel_order='rgb')
    picture = fit_into(image, SIZE).copy()
    scale = picture.shape[0] / image.shape[0]
    for index, region in enumerate(one.regions):
        left, top = round(scale * region.x), round(scale * region.y)
        right = round(scale * (region.x + region.width)) - 1
        bottom = round(scale * (region.y + region.height)) - 1
        colour = COLOURS[min(index, len(COLOURS) - 1)]
        cv2.rectangle(picture, (left, top), (right, bottom), colour, 2)
    return picture
