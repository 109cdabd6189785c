"""The label files of a folder, without a config."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

from ..labels.image_finder import SUFFIXES, ImageFinder
from ..labels.label_folder import SIDECAR, read_sidecar
from .inputs import LabelItem, LabelSet, Reading

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


def from_folder(
    folder: Path,
    *,
    images: Path | None = None,
    dense: str | None = None,
    classes: tuple[str, ...] = (),
    palette: tuple[tuple[int, ...], ...] = (),
    split: str | None = None,
    ignore_index: int = 255,
    reduce_zero_label: bool = False,
) -> LabelSet:
    """Return the label files of a folder, or of the root of a data set.

    Args:
        folder: A folder of label maps, its folders included; or one that
            holds a folder of images and one of labels.
        images: Folder of the images; None = the one beside the labels.
        dense: Folder of dense masks; None = the one beside the labels, ''
            = none.
        classes: Class names; none = those of ``labels.json``, where there is
            one.
        palette: Colours of the classes.
        split: Folder, below that of the labels, to take.
        ignore_index: Value that is no label, besides 255.
        reduce_zero_label: Whether 0 is no label and classes count from 1.

    Raises:
        ValueError: If it is not clear where the labels are, or
            ``labels.json`` is malformed or contradicts an argument.
        FileNotFoundError: If a folder is missing.
    """
    labels = _label_folder(folder, split)
    told = _sidecar(labels)
    if told:
        classes = _told_classes(told, classes, labels, reduce_zero_label)
    reading = Reading(
        num_classes=len(classes) or None,
        palette=palette,
        reduce_zero_label=reduce_zero_label,
        ignore_index=ignore_index,
    )
    if images is None:
        images = find_beside(labels, 'image')
    finder = _finder(images, labels)
    files = sorted(
        path for path in labels.rglob('*')
        if path.suffix.lower() in SUFFIXES and path.name[0] != '.'
        and path.relative_to(labels).parts[0] != told.get('confidence')
    )  # fmt: skip
    folder_of_masks = _masks(labels, dense)
    masks = {} if folder_of_masks is None else {
        str(path): _mask(folder_of_masks, path, labels) for path in files
    }  # fmt: skip
    masks = masks if dense else existing(masks)
    data = LabelSet(
        f'{labels}', [], classes, palette, split or 'train',
        dense=None if not masks else str(folder_of_masks),
        twice=_twice(labels, files),
    )  # fmt: skip
    taken = set()
    for path in files:
        name = path.relative_to(labels).with_suffix('').as_posix()
        image = None
        if finder is not None:
            found = finder.find(name)
            if not found:
                data.strays.append(str(path))
                continue
            taken.add(found[0])
            image = str(finder.folder / found[0])
        data.items.append(LabelItem(
            labels=str(path), image=image, reading=reading,
            dense=masks.get(str(path)),
            supervision=_kind(told, name, labels),
            tags=_tags(told, name, classes),
        ))  # fmt: skip
    _add_listed(data, finder, taken, told, reading, labels)
    _add_unlabelled(data, finder, taken, told, reading, labels)
    return data


def _label_folder(folder: Path, split: str | None) -> Path:
    """Return where the labels are: the folder itself, or one in it."""
    if not folder.is_dir():
        raise FileNotFoundError(f'no folder {folder}')
    if not (folder / SIDECAR).is_file():
        inside = {p.name: p for p in sorted(folder.iterdir()) if p.is_dir()}
        images = [n for n in inside if n.lower() in FOLDERS['image']]
        sparse = [n for n in inside if kind_of(n) not in (None, 'dense')]
        sparse += [n for n in inside if n.lower() in ('labels', 'label')]
        dense = [n for n in inside if kind_of(n) == 'dense']
        if images:
            chosen = sparse or dense
            if len(chosen) != 1:
                raise ValueError(
                    f'{folder} holds images and '
                    + (f'several kinds of labels: name one of '
                       f'{", ".join(str(folder / n) for n in chosen)}'
                       if chosen else 'no folder of labels that is called '
                       'labels, scribbles, points, blocks or masks')
                )  # fmt: skip
            folder = inside[chosen[0]]
    if split is not None:
        if not (folder / split).is_dir():
            raise FileNotFoundError(f'no folder {folder / split} (--split)')
        folder = folder / split
    return folder


def _sidecar(labels: Path) -> dict[str, Any]:
    if not os.path.lexists(labels / SIDECAR):
        return {}
    return read_sidecar(labels / SIDECAR)


def _told_classes(
    told: dict[str, Any],
    classes: tuple[str, ...],
    labels: Path,
    reduce_zero_label: bool,
) -> tuple[str, ...]:
    """Return the classes, given those of ``labels.json`` and the caller's.

    Raises:
        ValueError: If they contradict each other.
    """
    found = tuple(told['classes'])
    if reduce_zero_label and (not classes or found[1:] != classes):
        raise ValueError(
            f'{labels / SIDECAR}: its values count the classes '
            f'{", ".join(found)} from 0; 0 is one of them, '
            'reduce_zero_label=True contradicts it'
        )
    if classes and not reduce_zero_label and found != classes:
        raise ValueError(
            f'{labels / SIDECAR}: its labels are of the classes '
            f'{", ".join(found)}, not {", ".join(classes)}: leave classes '
            'out, or take labels.json away if it is wrong'
        )
    return classes or found


def _finder(images: Path | None, labels: Path) -> ImageFinder | None:
    if images is None:
        return None
    return ImageFinder(images, exclude=[labels])


def _masks(labels: Path, dense: str | None) -> Path | None:
    if dense == '':
        return None
    if dense is not None:
        return Path(dense)
    if kind_of(str(labels)) == 'dense':
        return None
    return find_beside(labels, 'dense')


def _mask(masks: Path, path: Path, labels: Path) -> str:
    same = masks / path.relative_to(labels)
    return str(same if same.exists() else same.with_suffix('.png'))


def _kind(told: dict[str, Any], name: str, labels: Path) -> str | None:
    own = told.get('images', {}).get(name, {}).get('supervision')
    return own or kind_of(str(labels))


def _twice(labels: Path, files: list[Path]) -> list[str]:
    """Return label files that differ in the suffix alone."""
    count = Counter(os.path.splitext(path)[0] for path in files)
    return [str(p) for p in files if count[os.path.splitext(p)[0]] > 1]


def _tags(
    told: dict[str, Any], name: str, classes: tuple[str, ...]
) -> tuple[int, ...]:
    tags = told.get('images', {}).get(name, {}).get('tags', ())
    return tuple(classes.index(tag) for tag in tags if tag in classes)


def _add_listed(
    data: LabelSet,
    finder: ImageFinder | None,
    taken: set[Any],
    told: dict[str, Any],
    reading: Reading,
    labels: Path,
) -> None:
    """Add what ``labels.json`` lists and has no file: tags, or a loss."""
    there = {
        item.labels and os.path.splitext(item.labels)[0] for item in data.items
    }
    there |= {os.path.splitext(path)[0] for path in data.strays}
    for name, info in told.get('images', {}).items():
        if str(labels / name) in there:
            continue
        tagged = info['supervision'] == 'tag'
        found = finder.find(name) if finder is not None else []
        taken.update(found)
        image = str(finder.folder / found[0]) if finder and found else None
        data.items.append(LabelItem(
            labels=None if tagged else str(labels / f'{name}.png'),
            image=image if image or finder is None else name,
            reading=reading, supervision=info['supervision'],
            tags=_tags(told, name, data.classes),
        ))  # fmt: skip


def _add_unlabelled(
    data: LabelSet,
    finder: ImageFinder | None,
    taken: set[Any],
    told: dict[str, Any],
    reading: Reading,
    labels: Path,
) -> None:
    """Add the images that have no labels at all.

    A folder whose ``labels.json`` does not list them is not about them.
    """
    if finder is None:
        return
    every = sorted(path for paths in finder.images.values() for path in paths)
    for path in every:
        if path in taken:
            continue
        if told:
            data.unlisted.append(str(finder.folder / path))
            continue
        missing = labels / path.with_suffix('.png')
        data.items.append(LabelItem(
            labels=str(missing), image=str(finder.folder / path),
            reading=reading, dense=None,
        ))  # fmt: skip


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
