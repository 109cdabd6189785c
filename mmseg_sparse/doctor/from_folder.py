"""The label files of a folder, without a config."""

import os
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any

from ..labels.image_finder import SUFFIXES, ImageFinder
from ..labels.label_folder import SIDECAR, read_sidecar
from .inputs import LabelItem, LabelSet, Reading

#: Names of folders by content, in lower case; more likely ones first.
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
#: Names of the folders of training and validation set.
TRAIN = ('train', 'training')
VAL = ('val', 'validation', 'valid')
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
    validation: bool = False,
) -> LabelSet:
    """Return the label files of a folder, or of the root of a data set.

    Args:
        folder: A folder of label maps, with its subfolders; or one that
            holds a folder of images and one of labels.
        images: Folder of the images; None: the one beside the labels.
        dense: Folder of dense masks; None: the one beside the labels; '':
            no masks.
        classes: Class names; empty: those of ``labels.json``, if there is
            one.
        palette: Colours of the classes.
        split: Folder inside the folder of labels to take.
        ignore_index: A value that means "no label", besides 255.
        reduce_zero_label: Whether 0 means "no label" and classes count from
            1.
        validation: Whether to add the validation set, to compare the two:
            dense masks in ``masks/val`` and images in ``images/val``, where
            the labels are in a folder called ``train``.

    Raises:
        ValueError: If it is not clear where the labels are, or
            ``labels.json`` is malformed or contradicts an argument.
        FileNotFoundError: If a folder is missing.
    """
    labels = _label_folder(folder, split)
    sidecar = {}
    if os.path.lexists(labels / SIDECAR):
        sidecar = read_sidecar(labels / SIDECAR)
        classes = _classes(sidecar, classes, labels, reduce_zero_label)
    reading = Reading(
        num_classes=len(classes) or None,
        palette=palette,
        reduce_zero_label=reduce_zero_label,
        ignore_index=ignore_index,
    )
    if images is None:
        images = find_beside(labels, 'image')
    finder = None if images is None else ImageFinder(images, exclude=[labels])
    data = LabelSet(f'{labels}', [], classes, palette, split or 'train')
    collector = _Collector(data, labels, sidecar, reading, finder)
    collector.add_files(dense)
    collector.add_listed()
    collector.add_unlabelled()
    if validation and images is not None and labels.name in TRAIN:
        data.validation = _validation(
            labels, classes, ignore_index, reduce_zero_label
        )
    return data


def _validation(
    labels: Path,
    classes: tuple[str, ...],
    ignore_index: int,
    reduce_zero_label: bool,
) -> LabelSet | None:
    """Return the validation set beside a folder of training labels."""
    for name in VAL:
        other = labels.parent / name
        masks, images = (
            find_beside(other, 'dense'),
            find_beside(other, 'image'),
        )
        if kind_of(str(labels)) == 'dense' and other.is_dir():
            masks = other
        if masks is None or images is None:
            continue
        try:
            return from_folder(
                masks, images=images, dense='', classes=classes,
                ignore_index=ignore_index,
                reduce_zero_label=reduce_zero_label,
            )  # fmt: skip
        except (OSError, ValueError):
            return None
    return None


class _Collector:
    """Adds the images of a folder to a data set.

    Args:
        data: The data set.
        labels: The folder of the label files.
        sidecar: Its ``labels.json``, empty without one.
        reading: How the label files are read.
        finder: Finds the images, if there is a folder of them.
    """

    def __init__(
        self,
        data: LabelSet,
        labels: Path,
        sidecar: dict[str, Any],
        reading: Reading,
        finder: ImageFinder | None,
    ) -> None:
        self.data = data
        self.labels = labels
        self.sidecar = sidecar
        self.listed: dict[str, dict[str, Any]] = sidecar.get('images', {})
        self.reading = reading
        self.finder = finder
        self.taken: set[PurePosixPath] = set()

    def add_files(self, dense: str | None) -> None:
        """Add the label files, with their dense masks and images."""
        labels, data = self.labels, self.data
        files = sorted(
            path for path in labels.rglob('*')
            if path.suffix.lower() in SUFFIXES and path.name[0] != '.'
            and path.relative_to(labels).parts[0]
            != self.sidecar.get('confidence')
        )  # fmt: skip
        # Label files that differ in the suffix only.
        count = Counter(os.path.splitext(path)[0] for path in files)
        data.twice = [
            str(p) for p in files if count[os.path.splitext(p)[0]] > 1
        ]
        folder = _masks(labels, dense)
        masks = {} if folder is None else {
            str(path): _mask(folder, path, labels) for path in files
        }  # fmt: skip
        masks = masks if dense else existing(masks)
        data.dense = str(folder) if masks else None
        for path in files:
            name = path.relative_to(labels).with_suffix('').as_posix()
            image = self._image(name)
            if self.finder is not None and image is None:
                data.strays.append(str(path))
                continue
            kind = self.listed.get(name, {}).get('supervision')
            data.items.append(LabelItem(
                labels=str(path), image=image, reading=self.reading,
                dense=masks.get(str(path)),
                supervision=kind or kind_of(str(labels)),
                tags=self._tags(name),
            ))  # fmt: skip

    def add_listed(self) -> None:
        """Add what ``labels.json`` lists without a file: tags, or a loss."""
        there = {
            item.labels and os.path.splitext(item.labels)[0]
            for item in self.data.items
        }
        there |= {os.path.splitext(path)[0] for path in self.data.strays}
        for name, info in self.listed.items():
            if str(self.labels / name) in there:
                continue
            tagged = info['supervision'] == 'tag'
            missing = None if tagged else str(self.labels / f'{name}.png')
            image = self._image(name)
            self.data.items.append(LabelItem(
                labels=missing,
                image=image or (None if self.finder is None else name),
                reading=self.reading, supervision=info['supervision'],
                tags=self._tags(name),
            ))  # fmt: skip

    def add_unlabelled(self) -> None:
        """Add the images without any labels.

        Those that a ``labels.json`` does not list are only noted.
        """
        if self.finder is None:
            return
        for path in sorted(
            p for ps in self.finder.images.values() for p in ps
        ):
            if path in self.taken:
                continue
            image = str(self.finder.folder / path)
            if self.sidecar:
                self.data.unlisted.append(image)
                continue
            missing = self.labels / path.with_suffix('.png')
            self.data.items.append(
                LabelItem(str(missing), image, self.reading)
            )

    def _image(self, name: str) -> str | None:
        """Return the path of the image of a label file; mark it as taken."""
        if self.finder is None:
            return None
        stated = self.listed.get(name, {}).get('image')
        found = self.finder.find(stated or name)
        if not found:
            return None
        if len(found) > 1:
            self.data.shared += [str(self.finder.folder / p) for p in found]
            self.taken.update(found)
        self.taken.add(found[0])
        return str(self.finder.folder / found[0])

    def _tags(self, name: str) -> tuple[int, ...]:
        classes = self.data.classes
        tags = self.listed.get(name, {}).get('tags', ())
        return tuple(classes.index(tag) for tag in tags if tag in classes)


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


def _classes(
    sidecar: dict[str, Any],
    classes: tuple[str, ...],
    labels: Path,
    reduce_zero_label: bool,
) -> tuple[str, ...]:
    """Return the classes, given those of ``labels.json`` and the caller's.

    Raises:
        ValueError: If they contradict each other.
    """
    found = tuple(sidecar['classes'])
    if reduce_zero_label and (not classes or found[1:] != classes):
        raise ValueError(
            f'{labels / SIDECAR}: its values count the classes '
            f'{", ".join(found)} from 0, so that 0 is one of them; '
            'reduce_zero_label=True contradicts it'
        )
    if classes and not reduce_zero_label and found != classes:
        raise ValueError(
            f'{labels / SIDECAR}: its labels are of the classes '
            f'{", ".join(found)}, not {", ".join(classes)}: leave classes '
            'out, or remove labels.json if it is wrong'
        )
    return classes or found


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


def kind_of(path: str | None) -> str | None:
    """Return the kind of labels that the names of folders in a path mean.

    The innermost folder with such a name counts.
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
