"""Folders of images and masks, found by how folders are commonly called."""

import os
from pathlib import Path

#: Names of folders by what is in them, in lower case; likelier ones first.
FOLDERS = {
    'image': (
        'images', 'image', 'imgs', 'img', 'jpegimages', 'img_dir',
        'leftimg8bit',
    ),
    'dense': (
        'masks', 'mask', 'dense', 'segmentationclassaug', 'segmentationclass',
        'segmentationclasscontext', 'annotations', 'gtfine', 'ann_dir',
    ),
}  # fmt: skip
_SPARSE = {'scribble': 'scribble', 'point': 'point', 'click': 'point',
           'block': 'block', 'pseudo': 'pseudo'}  # fmt: skip


def kind_of(path: str | None) -> str | None:
    """Return the kind of labels that a path's folders speak of, if any.

    The innermost folder that says something counts.
    """
    for part in reversed(Path(path).parts if path is not None else ()):
        for word, kind in _SPARSE.items():
            if word in part.lower():
                return kind
        if part.lower() in FOLDERS['dense']:
            return 'dense'
    return None


def find_beside(folder: Path, what: str) -> Path | None:
    """Find images or dense masks beside a folder of labels.

    ``root/scribbles/train`` has its images in ``root/images/train``, and
    ``root/scribbles`` in ``root/images``.

    Args:
        folder: The folder of labels.
        what: A key of :data:`FOLDERS`.
    """
    full = Path(os.path.abspath(folder))
    root = folder
    for depth in range(2):
        root = root.parent if root.name not in ('', '..') else root / '..'
        if not root.is_dir():
            return None
        below = full.parts[len(full.parts) - depth :]
        found = {
            child.name.lower(): child
            for child in sorted(root.iterdir())
            if child.is_dir()
        }
        for name in FOLDERS[what]:
            place = found.get(name)
            if place is None or os.path.abspath(place) in _line(full):
                continue
            if place.joinpath(*below).is_dir():
                return place.joinpath(*below)
    return None


def existing(masks: dict[str, str]) -> dict[str, str]:
    """Return the masks of folders that have at least one of them.

    Args:
        masks: Path of the mask by path of the label file.
    """
    used = {os.path.dirname(p) for p in masks.values() if os.path.isfile(p)}
    return {k: p for k, p in masks.items() if os.path.dirname(p) in used}


def _line(full: Path) -> set[str]:
    """Return a folder and those above it."""
    return {str(full), *map(str, full.parents)}
