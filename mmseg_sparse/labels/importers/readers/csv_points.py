"""Reader of points in a table: CSV, as CoralNet and others export it."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ....utils.untrusted import (
    FormatError,
    OnError,
    decode_text,
    read_bytes,
    refuse,
    shown,
)
from ..annotation import ImageAnnotation, Point
from .shared import (
    by_annotator,
    class_name,
    coordinate,
    each,
    parse_number,
    stored_name,
)

#: What a column is called, in lower case, if no option says so.
NAMES = {
    'image': ('name', 'image', 'filename', 'image name', 'image_name'),
    'label': ('label', 'class', 'label code', 'label_code'),
    'row': ('row',),
    'column': ('column', 'col'),
    'x': ('x',),
    'y': ('y',),
    'annotator': ('annotator',),
}
DELIMITERS = ',;\t'


def read(
    source: Path,
    *,
    columns: Mapping[str, str] | None = None,
    on_error: OnError = refuse,
) -> Iterator[ImageAnnotation]:
    """Read a table with one point a line and a header that names the columns.

    A place is given by ``Row`` and ``Column``, whole numbers (``3`` or
    ``3.0``) that count pixels from 0 (CoralNet; row before column), and lies
    in the middle of the pixel; or by ``x`` and ``y``, numbers from the corner
    of the image. The order of the columns does not matter, nor does upper or
    lower case. A column ``Annotator`` says who set a point; further columns
    are not read. Fields are separated by comma,
    semicolon or tab, whichever the first line has most of.

    Args:
        source: The CSV file, UTF-8.
        columns: What columns are called here, for ``image``, ``label`` and
            ``row``, ``column`` or ``x``, ``y``, and for ``annotator`` if
            there is one, where it is not ``Name``, ``Label`` and so on:
            ``{'image': 'photo', 'label': 'species'}``.
        on_error: Called with what is wrong with a line;
            where it returns, that is left out.

    Yields:
        The images in the order of their first line; where several people set
        points in one, once for each row of points of the same.

    Raises:
        FormatError: If a column is missing or there twice, or a line is
            malformed.
        OSError: If the file cannot be read.
        ValueError: If ``columns`` names something else.
    """
    columns = dict(columns or {})
    unknown = sorted(set(columns) - set(NAMES))
    if unknown:
        raise ValueError(f'columns are {", ".join(NAMES)}, got {unknown}')
    points: dict[str, list[tuple[str, Point]]] = {}
    for image, who, point in _points(source, columns, on_error):
        points.setdefault(image, []).append((who, point))
    for image, items in points.items():
        yield from by_annotator(ImageAnnotation(image, str(source)), items, '')


@dataclass(frozen=True)
class _Layout:
    """Which field of a line is what."""

    width: int
    image: int
    label: int
    x: int
    y: int
    pixels: bool  # x and y are column and row
    annotator: int | None


def _points(
    source: Path, columns: Mapping[str, str], on_error: OnError
) -> Iterator[tuple[str, str, Point]]:
    lines = _lines(source)
    header = next(lines, (0, []))[1]
    layout = _layout(header, columns, source)

    def point(
        number: int, fields: list[str]
    ) -> Iterator[tuple[str, str, Point]]:
        entry = f'line {number}'
        if len(fields) != layout.width:
            raise FormatError(
                source, entry,
                f'expected {layout.width} fields, got {len(fields)}: '
                f'{shown(fields)}',
            )  # fmt: skip
        image = stored_name(fields[layout.image].strip(), source, entry)
        label = class_name(fields[layout.label], source, entry)
        x, y = (
            _place(fields[index], layout.pixels, source,
                   f'{entry}, {header[index].strip()}')
            for index in (layout.x, layout.y)
        )  # fmt: skip
        who = '' if layout.annotator is None else fields[layout.annotator]
        yield image, who.strip(), Point(label, (x, y), entry=entry)

    yield from each(lines, point, on_error)


def _place(text: str, pixels: bool, source: Path, entry: str) -> float:
    value = coordinate(parse_number(text, source, entry), source, entry)
    if pixels and value % 1:
        raise FormatError(
            source, entry, f'expected a whole number, got {shown(text)}'
        )
    return value + 0.5 if pixels else value


def _lines(source: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the fields of every line that is not empty."""
    text = decode_text(read_bytes(source), source)
    first = text.lstrip('\r\n').partition('\n')[0]
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(
        io.StringIO(text, newline=''), delimiter=delimiter, strict=True
    )
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                yield reader.line_num, fields
    except csv.Error as error:
        raise FormatError(
            source, f'line {reader.line_num}', f'not valid CSV: {error}'
        ) from error


def _layout(
    header: Sequence[str], columns: Mapping[str, str], source: Path
) -> _Layout:
    found = {
        part: _find(header, part, columns) for part in NAMES
    }  # fmt: skip
    pairs = [('column', 'row'), ('x', 'y')]
    # A pair that is asked for by name wins over one that is merely there.
    asked = [pair for pair in pairs if set(pair) & set(columns)]
    there = [pair for pair in pairs if all(found[part] for part in pair)]
    places = asked or there
    if len(places) != 1:
        raise FormatError(
            source, 'header',
            'expected columns Row and Column, or x and y (name them by '
            f'the option columns), got {shown(header)}',
        )  # fmt: skip
    optional = ['annotator'] * (
        'annotator' in columns or bool(found['annotator'])
    )
    for part in ('image', 'label', *places[0], *optional):
        if len(found[part]) != 1:
            raise FormatError(
                source, 'header',
                f'expected one column for the {part} (name it by the option '
                f'columns), got {len(found[part])} in {shown(header)}',
            )  # fmt: skip
    image, label, x, y = (
        found[part][0] for part in ('image', 'label', *places[0])
    )
    annotator = found['annotator'][0] if optional else None
    pixels = places[0] == pairs[0]
    return _Layout(len(header), image, label, x, y, pixels, annotator)


def _find(
    header: Sequence[str], part: str, columns: Mapping[str, str]
) -> list[int]:
    """Return the columns that may be meant; an exact name beats the case."""
    names = [field.strip() for field in header]
    if part in columns:
        exact = [i for i, name in enumerate(names) if name == columns[part]]
        wanted: Sequence[str] = [columns[part].lower()]
    else:
        exact, wanted = [], NAMES[part]
    return exact or [i for i, n in enumerate(names) if n.lower() in wanted]
