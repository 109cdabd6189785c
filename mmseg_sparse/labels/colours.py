"""Masks that are pictures in colour, and tables that name the colours."""

import re
import shlex
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ..utils.untrusted import (
    FormatError,
    decode_text,
    read_bytes,
    reason,
    shown,
    size,
)
from .classes import parse_classes
from .label_map import NO_LABEL, Labels

Colour = tuple[int, int, int]

#: More levels of grey than this are not taken for classes.
MAX_LEVELS = 9
#: A wider tolerance than this is not proposed.
MAX_TOLERANCE = 32
#: Modes of Pictures of 8 bits a channel.
_MODES = ('1', 'L', 'LA', 'P', 'PA', 'RGB', 'RGBA', 'RGBX', 'CMYK', 'YCbCr')
_NUMBERS = (
    r'[(\[]?(?P<r>\d{1,3})[\s,;]+(?P<g>\d{1,3})[\s,;]+(?P<b>\d{1,3})[)\]]?'
)
_HEX = '#(?P<r>[0-9a-f]{2})(?P<g>[0-9a-f]{2})(?P<b>[0-9a-f]{2})'
#: Forms of a line, by the base of the numbers; the first that fits counts.
_FORMS = [
    (10, re.compile(rf'(?P<name>.+?)\s*:\s*{_NUMBERS}(?::.*)?')),  # CVAT
    (10, re.compile(rf'(?P<name>.+?)[\s,;]+{_NUMBERS}')),
    (10, re.compile(rf'{_NUMBERS}[\s,;:]+(?P<name>.+)')),  # CamVid
    (10, re.compile(_NUMBERS)),
    (16, re.compile(rf'(?P<name>.+?)[\s,;:]+{_HEX}', re.IGNORECASE)),
    (16, re.compile(rf'{_HEX}[\s,;:]+(?P<name>.+)', re.IGNORECASE)),
    (16, re.compile(_HEX, re.IGNORECASE)),
]
_HEAD = re.compile(
    r'\W*(name|class|label)\w*\W+r\w*\W+g\w*\W+b\w*\W*', re.IGNORECASE
)
#: Colour of void in the palette of VOC.
_VOC_VOID = (224, 224, 192)
#: Colours of void and of "no label" in the palettes of label files.
NO_CLASS = {(255, 255, 255), (0, 0, 0), _VOC_VOID}


@dataclass(frozen=True)
class ColourTable:
    """Which label each colour means.

    Attributes:
        source: The file, for messages.
        labels: A label for each colour: a class name, or its number from 0
            where the file names no classes. Several colours may have one.
        colours: Each once.
        named: Whether labels are class names.
    """

    source: str
    labels: tuple[str, ...]
    colours: tuple[Colour, ...]
    named: bool

    def nearest(self, colours: NDArray[np.uint8]) -> tuple[
        NDArray[np.intp], NDArray[np.int64]
    ]:  # fmt: skip
        """Return the nearest colour's index, and how far it is.

        Args:
            colours: ``(K, 3)``.

        Returns:
            For each: the index of the colour with the smallest Euclidean
            distance, and the largest difference of a channel to it.
        """
        own = np.array(self.colours, np.int64)
        index = np.zeros(len(colours), np.intp)
        best = np.full(len(colours), np.iinfo(np.int64).max)
        given = colours.astype(np.int64)
        for k, colour in enumerate(own):
            square = ((given - colour) ** 2).sum(1)
            nearer = square < best
            index[nearer], best[nearer] = k, square[nearer]
        return index, np.abs(given - own[index]).max(1, initial=0)


def read_colours(path: Path) -> ColourTable:
    """Read a table of colours.

    A line is ``name:r,g,b:...`` (``labelmap.txt`` of CVAT), ``name r,g,b``,
    ``r g b name``, ``name #rrggbb`` or a colour alone: such lines count the
    classes from 0, as a palette of VOC does. ``#`` begins a comment.

    Args:
        path: The file; or the name of a dataset type that has colours.

    Raises:
        FormatError: If a line is malformed, or two labels have one colour.
        OSError: If the file cannot be read.
        ValueError: If the dataset type has no colours.
    """
    if not path.is_file() and path.name.endswith('Dataset'):
        classes = parse_classes(path.name)
        colours = [_colour(c) for c in classes.palette]
        void = [] if _VOC_VOID in colours else [_VOC_VOID]
        labels = [*classes.names, *(str(NO_LABEL) for _ in void)]
        return _table(path.name, labels, [*colours, *void])
    labels, colours = [], []
    lines = decode_text(read_bytes(path, 2**20), path).splitlines()
    for number, line in enumerate(lines, 1):
        text = line.strip()
        comment = text[:1] == '#' and not re.match(
            rf'{_HEX}\b', text, re.IGNORECASE
        )
        if not text or comment or (not colours and _HEAD.fullmatch(text)):
            continue
        label, colour = _parse(text, path, f'line {number}')
        labels.append(label)
        colours.append(colour)
    if not colours:
        raise FormatError(path, '', "expected lines such as 'cat 128,0,0'")
    if '' not in labels:
        return _table(str(path), labels, colours)
    if any(labels):
        raise FormatError(
            path, '',
            'expected a class name in every line or in none, got none for '
            f'{colours[labels.index("")]}',
        )  # fmt: skip
    numbers = [str(k) for k in range(len(colours))]
    return _table(str(path), numbers, colours, named=False)


def _parse(text: str, path: Path, entry: str) -> tuple[str, Colour]:
    """Return label, '' if there is none, and colour of a line."""
    for base, form in _FORMS:
        match = form.fullmatch(text)
        if match is None:
            continue
        parts = match.groupdict()
        name = (parts.get('name') or '').strip().strip('"\'')
        colour = _colour([int(parts[key], base) for key in 'rgb'])
        if max(colour) > 255:
            raise FormatError(
                path, entry, f'expected a colour of 0 to 255, got {colour}'
            )
        return name, colour
    raise FormatError(
        path, entry,
        f"expected a line such as 'cat 128,0,0', got {shown(text)}",
    )  # fmt: skip


def _colour(values: Sequence[int]) -> Colour:
    red, green, blue = (int(value) for value in values)
    return red, green, blue


def _table(
    source: str,
    labels: Sequence[str],
    colours: Sequence[Colour],
    named: bool = True,
) -> ColourTable:
    """Return the table without what it says twice."""
    found: dict[Colour, str] = {}
    for label, colour in zip(labels, colours, strict=True):
        if found.setdefault(colour, label) != label:
            raise FormatError(
                source, '',
                f'{found[colour]} and {label} have the same colour {colour}',
            )  # fmt: skip
    return ColourTable(source, tuple(found.values()), tuple(found), named)


def misnumbered(
    values: Labels,
    colours: Sequence[int],
    palette: Sequence[Sequence[int]],
    table: Sequence[int] = range(256),
) -> str:
    """Tell whether a palette has the classes' colours in another order.

    This is what becomes of a picture in colour that was "converted to 256
    colours".

    Args:
        values: ``(H, W)``, what the file stores.
        colours: Its palette, three numbers for each value.
        palette: Colours of the classes.
        table: Class by value.

    Returns:
        What is mixed up, or an empty text.
    """
    known = {tuple(colour) for colour in palette}
    moved = []
    for value in np.flatnonzero(np.bincount(values.ravel())).tolist():
        if value == NO_LABEL or len(colours) < 3 * value + 3:
            continue
        colour = tuple(colours[3 * value : 3 * value + 3])
        index = table[value]
        if colour not in known | NO_CLASS:
            return ''  # the palette has nothing to do with the classes
        wanted = [tuple(c) for c in palette[index : index + 1]]
        if colour in known and wanted != [colour]:
            moved.append((value, colour))
    if len(moved) < 2:
        return ''
    value, colour = moved[0]
    right = [tuple(c) for c in palette].index(colour)
    return (
        f'{value} has the colour {colour} of class {right}, and '
        f'{len(moved) - 1} more are mixed up'
    )


def load_rgba(path: Path) -> NDArray[np.uint8]:
    """Read a picture of any format, ``(H, W, 4)``, turned as it is shown.

    Raises:
        FormatError: If it is broken, has more than 8 bits a channel, or is
            larger than an image may be; the size is checked before decoding.
        OSError: If the file cannot be opened.
    """
    read_bytes(path)  # raises for what is not a file
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            with Image.open(path) as picture:
                size(picture.width, picture.height, path)
                if picture.mode not in _MODES:
                    raise FormatError(
                        path, '',
                        'expected a picture of 8 bits a channel, got one of '
                        f'mode {picture.mode}',
                    )  # fmt: skip
                upright = ImageOps.exif_transpose(picture)
                return np.array(upright.convert('RGBA'))
    except FormatError:
        raise
    except UnidentifiedImageError as error:
        raise FormatError(path, '', 'not a picture') from error
    except Exception as error:  # Pillow has no common error of broken files
        raise FormatError(
            path, '', f'broken picture: {reason(error)}'
        ) from error


def is_grey_picture(values: Iterable[int]) -> bool:
    """Tell whether values look like levels of grey, not like classes.

    They do if they divide 0 to 255 evenly, up to a rounding: 0 and 255, or 0,
    127 and 255, and so on.
    """
    levels = sorted(set(values))
    if not 2 <= len(levels) <= MAX_LEVELS:
        return False
    steps = np.linspace(0, 255, len(levels))
    exact = levels[0] == 0 and levels[-1] == NO_LABEL
    return exact and bool((np.abs(steps - levels) <= 1).all())


def grey_options(
    values: Iterable[int], classes: Sequence[object] | None = None
) -> str:
    """Return what makes the importer read levels of grey as classes.

    Args:
        values: The levels.
        classes: A class for each; None = the indices in this order.
    """
    levels = sorted(set(values))
    chosen = range(len(levels)) if classes is None else classes
    pairs = ' '.join(
        shlex.quote(f'{level}={name}')
        for level, name in zip(levels, chosen, strict=True)
        if level
    )
    return f'--option ignore_index=-1 --class-map {pairs}'


def grey_of(rgba: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return the one channel of a picture without colours, else None."""
    same = (rgba[..., :3] == rgba[..., :1]).all()
    return rgba[..., 0] if same and (rgba[..., 3] == 255).all() else None


def most_frequent(
    rgba: NDArray[np.uint8], number: int = 3
) -> tuple[int, list[tuple[tuple[int, ...], int]]]:
    """Return how many colours there are, and the first with their pixels.

    Args:
        rgba: ``(..., 4)``.
        number: How many colours to return.
    """
    codes, counts = np.unique(
        np.ascontiguousarray(rgba).view(np.uint32), return_counts=True
    )
    order = np.argsort(-counts, kind='stable')[:number]
    colours = codes[order].view(np.uint8).reshape(-1, 4).tolist()
    return len(codes), [
        (tuple(c[:3] if c[3] == 255 else c), int(n))
        for c, n in zip(colours, counts[order], strict=True)
    ]


def indices_of(
    rgba: NDArray[np.uint8],
    table: ColourTable,
    source: object,
    *,
    tolerance: int = 0,
    unknown: bool = False,
) -> NDArray[np.int64]:
    """Return the index of each pixel's colour in a table.

    Args:
        rgba: ``(H, W, 4)``. Transparent pixels have no label.
        table: The colours.
        source: The picture, for messages.
        tolerance: A colour whose channels differ by at most so much from
            those of the nearest one counts as that.
        unknown: Whether pixels of other colours have no label, too.

    Returns:
        ``(H, W)``; -1 = no label.

    Raises:
        FormatError: If other colours occur, unless ``unknown``.
    """
    flat = np.ascontiguousarray(rgba).view(np.uint32).ravel()
    codes, place = np.unique(flat, return_inverse=True)
    colours = codes.view(np.uint8).reshape(-1, 4)
    index, distance = table.nearest(colours[:, :3])
    distance = np.maximum(distance, 255 - colours[:, 3].astype(np.int64))
    index = np.where(distance <= tolerance, index, -1)
    foreign = (index == -1) & (colours[:, 3] > 0)
    if foreign.any() and not unknown:
        pixels = np.bincount(place.ravel(), minlength=len(codes))
        raise FormatError(
            source, '',
            _foreign(colours[foreign], pixels[foreign], distance[foreign],
                     len(flat), table),
        )  # fmt: skip
    index[colours[:, 3] == 0] = -1
    return index[place.ravel()].reshape(rgba.shape[:2])


def _foreign(
    colours: NDArray[np.uint8],
    pixels: NDArray[np.intp],
    distance: NDArray[np.int64],
    total: int,
    table: ColourTable,
) -> str:
    """Say which colours are not in a table, and what can be done."""
    order = np.argsort(-pixels, kind='stable')
    texts = []
    for k in order[:3]:
        nearest = int(table.nearest(colours[k : k + 1, :3])[0][0])
        channels = colours[k].tolist()
        colour = tuple(channels[:3] if channels[3] == 255 else channels)
        texts.append(
            f'{colour} in {pixels[k]}, nearest to '
            f'{shown(table.labels[nearest])} {table.colours[nearest]}'
        )
    # Nine in ten of the pixels are as near as this.
    ranked = np.argsort(distance, kind='stable')
    share = np.cumsum(pixels[ranked]) / pixels.sum()
    near = int(distance[ranked][np.searchsorted(share, 0.9)])
    smoothed = (
        'if the mask was smoothed or saved as JPEG, --option tolerance='
        f'{near} takes a colour within {near} of another for that, and '
        if near <= MAX_TOLERANCE
        else ''
    )
    return (
        f'{pixels.sum()} of {total} pixels have {len(colours)} '
        f'{"colour" if len(colours) == 1 else "colours"} that '
        f'{table.source} does not name: {"; ".join(texts)}'
        f'{"; ..." if len(colours) > 3 else ""}. Add them to it; or, '
        f'{smoothed}--option unknown=unlabelled leaves '
        f'{"the rest" if smoothed else "them"} without a label'
    )
