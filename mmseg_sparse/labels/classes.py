"""Classes of a data set, and how the labels of a source map to them."""

import json
import os
import os.path as osp
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..utils.untrusted import (
    FormatError,
    decode_text,
    load_json,
    nfc,
    read_bytes,
    shown,
)
from .label_map import NO_LABEL, distinct_palette

#: Class indices are 0 to 254; 255 is "no label".
MAX_CLASSES = NO_LABEL
#: In place of a class index: shapes and tags of this label do not count.
LEFT_OUT = -1
#: The line of LabelMe's lists of classes that stands for void, not a class.
IGNORE = '__ignore__'


@dataclass(frozen=True)
class Classes:
    """Class names in order of their indices, with colours."""

    names: tuple[str, ...]
    palette: tuple[tuple[int, ...], ...]


def check_classes(names: Any) -> tuple[str, ...]:
    """Return the class names.

    Raises:
        ValueError: If this is not a sequence of 1 to 255 different strings
            that are not blank.
    """
    if not isinstance(names, Sequence) or isinstance(names, str):
        raise ValueError(
            'classes: expected the class names in order of their indices, '
            f'got {shown(names)}'
        )
    if not 1 <= len(names) <= MAX_CLASSES:
        raise ValueError(
            f'classes: expected 1 to {MAX_CLASSES} classes, got {len(names)}'
        )
    for index, name in enumerate(names):
        if not isinstance(name, str) or not name.strip():
            raise ValueError(
                f'classes[{index}]: expected a name, got {shown(name)}'
            )
        if name in names[:index]:
            raise ValueError(f'classes[{index}]: {shown(name)} comes twice')
    return tuple(names)


def make_classes(
    names: Sequence[str], palette: Sequence[Sequence[int]] | None = None
) -> Classes:
    """Check class names, and give them colours if they have none.

    Raises:
        ValueError: As :func:`check_classes`.
    """
    colours = palette or distinct_palette(len(check_classes(names)))
    return Classes(tuple(names), tuple(tuple(c) for c in colours))


def parse_classes(texts: str | Sequence[str]) -> Classes:
    """Return the classes that an argument of a command line names.

    Args:
        texts: A file with one name a line; or the name of a registered
            dataset type such as ``CamVidDataset``; or names, one a text or
            with commas between them. LabelMe's ``__ignore__`` among them is
            void and no class.

    Raises:
        ValueError: If it is none of these.
    """
    texts = [texts] if isinstance(texts, str) else list(texts)
    if len(texts) > 1:  # a comma may also end each, before a space
        ended = [text.removesuffix(',') for text in texts[:-1]]
        return _named(','.join([*ended, texts[-1]]))
    (text,) = texts
    path = Path(text)
    if os.path.isfile(text):  # Path.is_file fails on a long list
        try:
            return make_classes(read_class_names(path))
        except ValueError as error:
            raise ValueError(f'{path}: {error}') from error
    if ',' not in text:
        from mmengine.dataset import BaseDataset
        from mmseg.registry import DATASETS
        from mmseg.utils import register_all_modules

        register_all_modules(init_default_scope=False)
        dataset = DATASETS.get(text)
        known = isinstance(dataset, type) and issubclass(dataset, BaseDataset)
        info = dataset.METAINFO if known else {}
        if info.get('classes'):
            return make_classes(info['classes'], info.get('palette'))
        if dataset is not None or text.endswith('Dataset') or path.suffix:
            raise ValueError(
                f'{text!r} is neither a file of class names nor a dataset '
                'type that has classes'
            )
    return _named(text)


def _named(text: str) -> Classes:
    return make_classes(_without_ignore(text.split(',')))


def read_class_names(path: Path) -> list[str]:
    """Return the classes that a text file names, one a line.

    Blank lines are left out, and so is LabelMe's ``__ignore__``, which is
    void and no class.

    Raises:
        FormatError: If it is not UTF-8.
        OSError: If it cannot be read.
    """
    lines = decode_text(read_bytes(path, 2**20), path).splitlines()
    return [name for name in _without_ignore(lines) if name]


def _without_ignore(names: Sequence[str]) -> list[str]:
    return [name.strip() for name in names if name.strip() != IGNORE]


def parse_class_map(items: Sequence[str]) -> dict[str, int | str]:
    """Return a class map from JSON files and ``label=class`` texts.

    ``label=`` in a text, and an empty string in a file, leave a label out.

    Raises:
        ValueError: If a text is malformed, or a label comes twice.
    """
    result: dict[str, int | str] = {}
    for item in items:
        if '=' in item and not os.path.isfile(item):
            label, _, target = item.rpartition('=')
            pairs: dict[str, Any] = {
                label: int(target) if target.isdecimal() else target
            }
        else:
            pairs = load_json(Path(item))
            if not isinstance(pairs, dict):
                raise FormatError(
                    item, '', f'expected an object, got {shown(pairs)}'
                )
        for label, target in pairs.items():
            if type(target) not in (int, str):
                raise FormatError(
                    item, label,
                    f'expected a class or its index, got {shown(target)}',
                )  # fmt: skip
            if label in result:
                raise ValueError(f'class map: {label!r} comes twice')
            result[label] = target
    return result


class ClassMap:
    """Turns the labels of a source into class indices.

    A label in the given map becomes what that says; else the class of the
    same name; else, where labels are numbers, the class of that number; else
    what the tool means by it, such as void. It does not matter how accents
    are composed (NFC, NFD).

    Args:
        names: Class names in order of their indices.
        given: Class index, class name, 255 (= void) or an empty text (= left
            out) by label.
        first: Number of the first class where labels are numbers, else None.
        words: A tool's own words that are no classes: patterns of labels,
            with 255 or :data:`LEFT_OUT`; the first that fits counts.

    Raises:
        ValueError: If the map names a class that is not among ``names``.
    """

    def __init__(
        self,
        names: Sequence[str],
        given: Mapping[str, int | str] | None = None,
        *,
        first: int | None = None,
        words: Sequence[tuple[str, int]] = (),
    ) -> None:
        self.names = tuple(names)
        self.first = first
        self.words = tuple(words)
        #: Index by label, of the labels that were seen.
        self.used: dict[str, int] = {}
        self._by_name = {nfc(n): i for i, n in enumerate(self.names)}
        self._given = {
            label: self._target(label, target)
            for label, target in (given or {}).items()
        }
        self._targets = {nfc(k): index for k, index in self._given.items()}

    @property
    def unused(self) -> tuple[str, ...]:
        """Labels of the given map that were not seen, in its order."""
        used = {nfc(label) for label in self.used}
        return tuple(label for label in self._given if nfc(label) not in used)

    def index(self, label: str) -> int | None:
        """Return the class index of a label, None if it is unknown.

        It is 255 for void, and :data:`LEFT_OUT` for what does not count.
        """
        if label in self.used:
            return self.used[label]
        name = nfc(label)
        found = self._targets.get(name, self._by_name.get(name))
        if found is None and self.first is not None and label.isdecimal():
            number = int(label) - self.first
            found = number if 0 <= number < len(self.names) else None
        if found is None:
            found = meaning(label, self.words)
        if found is not None:
            self.used[label] = found
        return found

    def describe(self) -> str:
        """Return what labels may be, for messages."""
        known = [json.dumps(name, ensure_ascii=False) for name in self.names]
        text = ', '.join(known[:12]) + (', ...' if len(known) > 12 else '')
        if self.first is not None:
            last = self.first + len(self.names) - 1
            text += f' or {self.first} to {last}'
        return text

    def _target(self, label: str, target: int | str) -> int:
        if isinstance(target, str) and nfc(target) in self._by_name:
            return self._by_name[nfc(target)]
        if target == '':
            return LEFT_OUT
        if target == NO_LABEL or (
            isinstance(target, int) and 0 <= target < len(self.names)
        ):
            return int(target)
        raise ValueError(
            f'class map: {label!r} becomes {target!r}, which is neither a '
            f'class, nor an index from 0 to {len(self.names) - 1}, nor '
            f'{NO_LABEL} (void), nor empty (leave out)'
        )


def meaning(label: str, words: Sequence[tuple[str, int]]) -> int | None:
    """Return what a tool means by a label of its own, None if nothing."""
    for pattern, index in ((re.escape(IGNORE), NO_LABEL), *words):
        if re.fullmatch(pattern, label):
            return index
    return None


def with_classes(
    metainfo: Mapping[str, Any] | None,
    classes: Sequence[str] | str | None,
    palette: Sequence[Sequence[int]] | None,
) -> dict[str, Any]:
    """Return ``metainfo`` with ``classes`` and ``palette`` in it.

    Raises:
        ValueError: If both are given and differ, or as :func:`check_classes`.
        FileNotFoundError: If ``classes`` names a file that is not there.
    """
    full = dict(metainfo or {})
    for key, value in (('classes', classes), ('palette', palette)):
        if value is None:
            continue
        if key in full and list(full[key]) != list(value):
            raise ValueError(
                f'{key} is given twice and differs: {value}, and '
                f'{full[key]} in metainfo'
            )
        full[key] = value
    names = full.get('classes')
    if isinstance(names, str):
        # mmseg would take the name of a missing file for the classes, and a
        # blank line or LabelMe's __ignore__ in the file for one of them.
        if not osp.isfile(names):
            raise FileNotFoundError(
                f'classes: the file {names} does not exist'
            )
        names = full['classes'] = read_class_names(Path(names))
    if names is not None:
        check_classes(names)
    return full


def find_background(
    background: int | str | None, classes: Sequence[str]
) -> int | None:
    """Return the index of the background class, None if there is none.

    Raises:
        ValueError: If ``background`` is not an index, None or 'auto'.
    """
    if background == 'auto':
        return classes.index('background') if 'background' in classes else None
    if background is None:
        return None
    if not isinstance(background, int) or not 0 <= background < len(classes):
        raise ValueError(
            f'background: expected an index in 0..{len(classes) - 1}, None or '
            f"'auto', got {background!r}"
        )
    return background
