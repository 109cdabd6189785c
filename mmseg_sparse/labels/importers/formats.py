"""The readers by name, and their options from a command line."""

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

from ..classes import LEFT_OUT
from ..label_map import NO_LABEL
from .annotation import ImageAnnotation

Reader = Callable[..., Iterator[ImageAnnotation]]

#: File of each format; the command line's help reads it without importing.
MODULES = {
    'labelme': 'labelme',
    'cvat': 'cvat',
    'label-studio': 'label_studio',
    'coco': 'coco',
    'coco-panoptic': 'coco_panoptic',
    'supervisely': 'supervisely',
    'via': 'via',
    'isat': 'isat',
    'qupath': 'qupath',
    'csv': 'csv_points',
    'label-images': 'label_images',
    'nifti': 'nifti',
    'nnunet': 'nnunet',
    'scribblesup-xml': 'scribblesup_xml',
    'whats-the-point': 'whats_the_point',
    'index-png': 'index_png',
    'onehot-tags': 'onehot_tags',
}

#: Module of each format's ``read``; imported when it is used.
FORMATS: dict[str, str] = {
    name: f'{__package__}.readers.{module}' for name, module in MODULES.items()
}

#: Formats whose labels are numbers, and the number of the first class.
NUMBERED = {
    'index-png': 0,
    'nifti': 0,
    'label-images': 1,
    'whats-the-point': 0,
    'onehot-tags': 0,
}

#: Formats that list areas in no order: where they overlap, the smaller one
#: lies on top. In all others, layers and then the order of the source count.
UNORDERED = ('coco', 'via', 'qupath')

#: Labels that tools give to what is no class, by format, as patterns: 255
#: for void, LEFT_OUT for what does not count. LabelMe's ``__ignore__`` is
#: void in every format, since its lists of classes travel.
WORDS = {
    # A class with a star is ignored; that region is a frame round others.
    'qupath': ((r'Region\*', LEFT_OUT), (r'.*\*', NO_LABEL)),
    'index-png': (('255', NO_LABEL),),
    'nifti': (('255', NO_LABEL),),
    'whats-the-point': (('255', NO_LABEL),),
}

#: Formats that list their classes: the readers' modules have a function
#: ``class_list``, whose order is that of the classes if none is asked for.
LISTED = ('nnunet',)

#: Formats that hold strokes as pixels.
PIXEL_STROKES = ('index-png', 'label-images', 'nifti', 'nnunet')


def load_reader(name: str) -> Reader:
    """Return the reader of a format.

    Raises:
        ValueError: If there is no such format.
    """
    if name not in FORMATS:
        raise ValueError(
            f'unknown format {name!r}, expected one of {", ".join(FORMATS)}'
        )
    reader: Reader = importlib.import_module(FORMATS[name]).read
    return reader


def listed_classes(name: str, source: Path) -> list[str] | None:
    """Return the classes that a source lists, if its format does.

    Raises:
        FormatError: If the source is malformed.
        OSError: If it cannot be read.
    """
    if name not in LISTED:
        return None
    names: list[str] = importlib.import_module(FORMATS[name]).class_list(
        source
    )
    return names


def reader_options(name: str, settings: Sequence[str]) -> dict[str, Any]:
    """Return a reader's keyword arguments from ``key=value`` texts.

    A value becomes what the reader's signature says: a number, a path,
    ``true`` or ``false``, a text. One of several names is written
    ``key.name=value``.

    Raises:
        ValueError: If the format has no such option, or its value is none.
    """
    options: dict[str, Any] = {}
    read = load_reader(name)
    keys = [
        key for key, parameter in inspect.signature(read).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and key != 'on_error'
    ]  # fmt: skip
    # What Python calls class_ is the option class.
    known = {key.rstrip('_'): key for key in keys}
    hints = get_type_hints(read)
    for setting in settings:
        key, equals, text = setting.partition('=')
        if not equals:
            raise ValueError(f'expected key=value, got {setting!r}')
        key, dot, part = key.partition('.')
        if key not in known:
            has = ', '.join(sorted(known)) or 'none'
            raise ValueError(
                f'the format {name} has no option {key!r}; it has: {has}'
            )
        key = known[key]
        kinds = [
            kind for kind in get_args(hints[key]) or (hints[key],)
            if kind is not type(None)
        ]  # fmt: skip
        if _is_mapping(hints[key]):
            if not dot or not part:
                raise ValueError(
                    f'the option {key} takes {key}.NAME=VALUE, got {setting!r}'
                )
            options.setdefault(key, {})[part] = text
        elif dot:
            raise ValueError(f'the option {key} has no parts: {setting!r}')
        else:
            options[key] = _value(kinds[0], text, setting)
    return options


def _is_mapping(hint: Any) -> bool:
    candidates = [hint, *get_args(hint)]
    return any(
        getattr(kind, '__origin__', kind) in (Mapping, dict)
        for kind in candidates
    )


def _value(kind: Any, text: str, setting: str) -> Any:
    if kind is bool:
        if text not in ('true', 'false'):
            raise ValueError(f'expected true or false: {setting!r}')
        return text == 'true'
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            raise ValueError(f'expected a number: {setting!r}') from None
    return Path(text) if kind is Path else text
