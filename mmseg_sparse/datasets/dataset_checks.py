"""Checks of a dataset's arguments and files, with messages for people."""

import os
import os.path as osp
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..labels.image_list import ImageEntry


def one_of(name: str, values: Iterable[str], wanted: Sequence[str]) -> None:
    """Raise ValueError if a value is not among those wanted."""
    for value in values:
        if value not in wanted:
            raise ValueError(
                f'{name}: unknown {value!r}, want one of {", ".join(wanted)}'
            )


def with_classes(
    metainfo: Mapping[str, Any] | None,
    classes: Sequence[str] | str | None,
    palette: Sequence[Sequence[int]] | None,
) -> dict[str, Any]:
    """Return ``metainfo`` with the two shortcuts in it.

    Raises:
        ValueError: If both are given and differ, or classes are no names.
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
    # mmseg would take the name of a missing file for the classes.
    if isinstance(names, str) and not osp.isfile(names):
        raise FileNotFoundError(f'classes: there is no file {names}')
    if names is not None and not isinstance(names, str):
        check_classes(names)
    return full


def check_classes(classes: Any) -> tuple[str, ...]:
    """Return the class names.

    Raises:
        ValueError: If they are no names, not unique or too many for 8 bits.
    """
    names = tuple(classes) if isinstance(classes, Sequence) else ()
    odd = [name for name in names if not isinstance(name, str) or not name]
    if not names or odd:
        raise ValueError(
            'classes: wanted the class names in order of their indices, got '
            f'{classes!r}'
        )
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f'classes: {twice[0]!r} stands there twice')
    if len(names) > 254:
        raise ValueError(f'classes: at most 254 fit, got {len(names)}')
    return names


def find_background(
    background: int | str | None, classes: Sequence[str]
) -> int | None:
    """Return the index of the background class, None if there is none.

    Raises:
        ValueError: If ``background`` is no index, None or 'auto'.
    """
    if background == 'auto':
        return classes.index('background') if 'background' in classes else None
    if background is None:
        return None
    if not isinstance(background, int) or not 0 <= background < len(classes):
        raise ValueError(
            f'background: wanted an index in 0..{len(classes) - 1}, None or '
            f"'auto', got {background!r}"
        )
    return background


def check_exist(
    what: str, entries: Sequence[ImageEntry], paths: Sequence[str | None]
) -> None:
    """Look if every file is there; each folder is listed once.

    Raises:
        FileNotFoundError: If one is missing.
    """
    listed: dict[str, set[str]] = {}
    missing = []
    for entry, path in zip(entries, paths, strict=True):
        if path is None:
            continue
        folder, name = osp.split(path)
        if folder not in listed:
            there = osp.isdir(folder or '.')
            listed[folder] = set(os.listdir(folder or '.') if there else ())
        if name not in listed[folder]:
            missing.append((entry.where, path))
    if not missing:
        return
    where, path = missing[0]
    folder, name = osp.split(path)
    stem = osp.splitext(name)[0]
    alike = sorted(n for n in listed[folder] if osp.splitext(n)[0] == stem)
    raise FileNotFoundError(
        f'{where}: {what} {path} is missing'
        + (f' (there is {alike[0]}: see the suffix)' if alike else '')
        + ('' if osp.isdir(folder or '.') else f' (no folder {folder})')
        + (f'; so are {len(missing) - 1} more' if missing[1:] else '')
    )
