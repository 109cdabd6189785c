"""Lists of images and of how each of them is labelled."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

#: Kinds of labels; ``pseudo`` labels are predicted by a model, and ``tag`` has
#: no label map.
SUPERVISIONS = ('dense', 'scribble', 'point', 'block', 'pseudo', 'tag')
#: Kinds whose label maps cover whole images, except for void.
DENSE_KINDS = ('dense', 'pseudo')

_LINE = re.compile(
    r'(?:"(?P<quoted>[^"]+)"|(?P<name>[^\s"]+))(?:\s+(?P<rest>.*))?'
)
_COMMENT = re.compile(r'(^|\s)#.*$')


@dataclass(frozen=True)
class ImageEntry:
    """One image of a list.

    Attributes:
        name: Path of the image below its folder, without the suffix.
        supervision: One of :data:`SUPERVISIONS`.
        where: File and line, for messages.
        tags: Class names; None if the line has none.
        image: Path of the image below its folder, with the suffix, where
            it is known.
    """

    name: str
    supervision: str
    where: str
    tags: tuple[str, ...] | None = None
    image: str | None = None


def suffixes_of(img_suffix: str | Sequence[str]) -> tuple[str, ...]:
    """Return the suffixes that an argument ``img_suffix`` names.

    Raises:
        ValueError: If it names none, or one is not a string.
    """
    given = (img_suffix,) if isinstance(img_suffix, str) else img_suffix
    suffixes = tuple(given)
    if not suffixes or not all(isinstance(s, str) for s in suffixes):
        raise ValueError(
            "img_suffix: expected a suffix such as '.jpg' or a list of them, "
            f'got {img_suffix!r}'
        )
    return suffixes


def without_suffix(name: str, suffixes: Sequence[str]) -> str:
    """Return a name without the longest of the suffixes that ends it."""
    found = [s for s in suffixes if name.endswith(s) and name != s]
    return name.removesuffix(max(found, key=len, default=''))


def listed_name(entry: ImageEntry, suffixes: Sequence[str]) -> str:
    """Return how a list names an image, so that its file is found.

    That is with its suffix, if it is none of those of the data set.
    """
    image = entry.image
    known = image is None or image.endswith(tuple(suffixes))
    return entry.name if image is None or known else image


def parse_list(
    content: bytes,
    source: str,
    *,
    default: str,
    img_suffix: str | Sequence[str],
) -> list[ImageEntry]:
    """Read ``name [supervision [class name, class name...]]`` lines.

    A name with spaces must be in double quotes. A name may include the suffix
    of the image. ``#`` at the start or after a space begins a comment.

    Args:
        content: The list, UTF-8.
        source: Name of the list, for messages.
        default: Supervision of lines without one.
        img_suffix: Suffix of the images, or several.

    Raises:
        ValueError: If a line is malformed or has an unknown supervision, or
            if two lines have the same image.
    """
    try:
        lines = content.decode('utf-8-sig').split('\n')
    except UnicodeDecodeError as error:
        raise ValueError(f'{source}: expected UTF-8 text: {error}') from error
    entries: dict[str, ImageEntry] = {}
    suffixes = suffixes_of(img_suffix)
    for entry in _parse(lines, source, default, suffixes):
        if entry.name in entries:
            raise ValueError(
                f'{entry.where}: {entry.name!r} is listed twice, first in '
                f'{entries[entry.name].where}'
            )
        entries[entry.name] = entry
    return list(entries.values())


def _parse(
    lines: Sequence[str], source: str, default: str, suffixes: Sequence[str]
) -> Iterator[ImageEntry]:
    for number, line in enumerate(lines, 1):
        where = f'{source}:{number}'
        text = line.strip()
        if not text.startswith('"'):
            text = _COMMENT.sub('', text).strip()
        if not text:
            continue
        match = _LINE.fullmatch(text)
        if match is None:
            raise ValueError(
                f'{where}: expected a name in double quotes, got {text!r}'
            )
        name = match['quoted'] or match['name']
        rest = match['rest'] or ''
        if match['quoted']:
            rest = _COMMENT.sub('', rest)
        kind, *classes = rest.split(None, 1) if rest.strip() else ('',)
        if kind and kind not in SUPERVISIONS:
            raise ValueError(
                f'{where}: expected a supervision of '
                f'{", ".join(SUPERVISIONS)}, got {kind!r} (a name with '
                'spaces must be in double quotes)'
            )
        stem = without_suffix(name, suffixes)
        yield ImageEntry(
            name=stem,
            supervision=kind or default,
            where=where,
            tags=_split(classes[0], where) if classes else None,
            image=None if stem == name else name,
        )


def _split(classes: str, where: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in classes.split(','))
    if '' in names:
        raise ValueError(f'{where}: empty class name in {classes.strip()!r}')
    return names
