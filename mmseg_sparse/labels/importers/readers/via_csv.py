"""The table of regions that VGG Image Annotator (VIA) 1 and 2 export."""

import csv
import io
from collections.abc import Iterator

import msgspec
from msgspec import Raw, Struct

from ....utils.untrusted import FormatError, OnError, decode_json, shown
from .shared import NULL, each

#: Columns that are read; VIA 1 writes a '#' before the first of them.
_NAME, _SIZE, _TAGS = 'filename', 'file_size', 'file_attributes'
_SHAPE, _CLASS = 'region_shape_attributes', 'region_attributes'
_COLUMNS = (_NAME, _SIZE, _TAGS, _SHAPE, _CLASS)


class _Region(Struct):
    shape_attributes: Raw
    region_attributes: Raw


class _Image(Struct):
    filename: str
    file_attributes: Raw = NULL
    regions: dict[str, _Region] = {}


class _Line(Struct):
    image: tuple[str, str]
    file_attributes: Raw
    region: _Region
    empty: bool


def is_table(text: str) -> bool:
    """Tell a table from the JSON of VIA, by its header."""
    return _SHAPE in text.partition('\n')[0] and text[:1] != '{'


def table_images(
    text: str, source: object, on_error: OnError
) -> list[tuple[str, Raw]]:
    """Return the images of a table, as VIA's JSON has them.

    Args:
        text: The table.
        source: Its file, for messages.
        on_error: Called with what is wrong with a line;
            where it returns, that is left out.

    Returns:
        What to call each image in messages, and its JSON. Its regions are
        called ``line N``.

    Raises:
        FormatError: If a column is missing, or the text is no CSV.
    """
    lines = _lines(text, source)
    _, header = next(lines)
    names = [name.strip().removeprefix('#') for name in header]
    missing = [name for name in _COLUMNS if names.count(name) != 1]
    if missing:
        raise FormatError(
            source, 'header',
            f'expected one column {missing[0]}, got {shown(header)}',
        )  # fmt: skip
    places = [names.index(name) for name in _COLUMNS]

    def one(entry: str, fields: list[str]) -> Iterator[tuple[str, _Line]]:
        if len(fields) != len(header):
            raise FormatError(
                source, entry,
                f'expected {len(header)} fields, got {len(fields)}: '
                f'{shown(fields)}',
            )  # fmt: skip
        name, size, *parts = (fields[place] for place in places)
        decoded = [
            decode_json(part or '{}', dict[str, Raw], source,
                        f'{entry}, {column}')
            for part, column in zip(parts, _COLUMNS[2:], strict=True)
        ]  # fmt: skip
        tags, shape, attributes = (
            Raw(msgspec.json.encode(part)) for part in decoded
        )
        region = _Region(shape, attributes)
        yield entry, _Line((name, size), tags, region, not decoded[1])

    images: dict[tuple[str, str], _Image] = {}
    for entry, line in each(lines, one, on_error):
        image = images.setdefault(
            line.image, _Image(line.image[0], line.file_attributes)
        )
        if not line.empty:  # an image without regions has a line too
            image.regions[entry] = line.region
    return [
        (shown(name + size), Raw(msgspec.json.encode(image)))
        for (name, size), image in images.items()
    ]


def _lines(text: str, source: object) -> Iterator[tuple[str, list[str]]]:
    """Yield every line that is not empty, with its number."""
    reader = csv.reader(io.StringIO(text, newline=''), strict=True)
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                yield f'line {reader.line_num}', fields
    except csv.Error as error:
        raise FormatError(
            source, f'line {reader.line_num}', f'not valid CSV: {error}'
        ) from error
