"""Where the images of a list are, and whether all files are there."""

import os
import os.path as osp
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath

from ..labels.image_finder import SUFFIXES
from ..labels.image_list import ImageEntry


class Listing:
    """Tells which files are there; each folder is listed once."""

    def __init__(self) -> None:
        self._names: dict[str, set[str]] = {}

    def names(self, folder: str) -> set[str]:
        """Return the names in a folder, none where there is no folder."""
        folder = folder or '.'
        if folder not in self._names:
            there = osp.isdir(folder)
            self._names[folder] = set(os.listdir(folder) if there else ())
        return self._names[folder]

    def has(self, path: str) -> bool:
        """Tell whether a path is there."""
        folder, name = osp.split(path)
        return name in self.names(folder)


def locate(
    entry: ImageEntry,
    known: str | None,
    folder: str,
    suffixes: Sequence[str],
    listing: Listing,
) -> ImageEntry:
    """Return the entry of an image with the path of its file.

    That is the known one; or the name with one of the suffixes; or the name
    itself where it ends like an image. The first of them that is there
    counts. Where none is, the first one is returned.

    Args:
        entry: The image.
        known: Its path below the folder, as a ``labels.json`` has it.
        folder: The folder of the images.
        suffixes: Suffixes that the data set's images may have.
        listing: What is in the folders.

    Raises:
        ValueError: If several images differ in the suffix only.
    """
    stem, suffix = osp.splitext(entry.name)
    stated = entry.image or known
    paths = [stated] if stated else []
    paths += [entry.name + s for s in suffixes]
    if suffix.lower() in SUFFIXES and '' not in suffixes:
        paths.append(entry.name)
    paths = list(dict.fromkeys(paths))
    there = [p for p in paths if listing.has(osp.join(folder, p))]
    if not there:
        return replace(entry, image=paths[0])
    alike = [p for p in there if p != entry.name]
    if there[0] != stated and len(alike) > 1:
        raise ValueError(
            f'{entry.where}: {" and ".join(alike)} are two images of one '
            f'name in {folder}, and would share one label file: rename one'
        )
    if there[0] == entry.name and '' not in suffixes:
        return replace(entry, name=stem, image=entry.name)
    return replace(entry, image=there[0])


def check_unique(entries: Sequence[ImageEntry]) -> None:
    """Raise ValueError if two images would have the same label file."""
    first: dict[str, ImageEntry] = {}
    for entry in entries:
        other = first.setdefault(entry.name, entry)
        if other is not entry and other.image != entry.image:
            raise ValueError(
                f'{entry.where}: {other.image} and {entry.image} are two '
                'images of one name, and would share one label file: rename '
                'one'
            )


def check_exist(
    what: str,
    entries: Sequence[ImageEntry],
    paths: Sequence[str | None],
    listing: Listing,
) -> None:
    """Look if every file is there.

    Raises:
        FileNotFoundError: If one is missing.
    """
    missing = [
        (entry.where, path)
        for entry, path in zip(entries, paths, strict=True)
        if path is not None and not listing.has(path)
    ]
    if not missing:
        return
    where, path = missing[0]
    folder, name = osp.split(path)
    stem = osp.splitext(name)[0]
    alike = sorted(
        n for n in listing.names(folder) if osp.splitext(n)[0] == stem
    )
    hint = ''
    if alike:
        hint = f' (there is {alike[0]}: see the suffix'
        if what == 'image':
            both = [PurePath(name).suffix, PurePath(alike[0]).suffix]
            hint += f'; img_suffix={both} takes both'
        hint += ')'
    raise FileNotFoundError(
        f'{where}: {what} {path} is missing{hint}'
        + ('' if osp.isdir(folder or '.') else f' (no folder {folder})')
        + (f'; so are {len(missing) - 1} more' if missing[1:] else '')
    )
