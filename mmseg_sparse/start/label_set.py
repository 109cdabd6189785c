"""Images with their label files, and what the files hold."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..doctor.from_folder import find_beside
from ..labels.image_finder import ImageFinder, image_size
from ..labels.label_folder import SIDECAR, read_sidecar
from ..labels.label_map import NO_LABEL, Labels, load_png_index
from ..utils.untrusted import FormatError
from .recognise import kind_of_map, label_files, read_list

#: So many label files and images are read where one stands for all.
SAMPLE = 300


@dataclass
class LabelSet:
    """Label files, and the images that they belong to.

    Attributes:
        images: Folder of the images.
        folder: Folder of the label files; None: there are tags alone.
        suffixes: What each image's file has behind its name.
        seg_suffix: What a label file has behind the name of its image.
        kinds: Kind of labels by name of the image.
        zero_is_no_label: Whether 0 means "no label" in the files.
        tag_file: File of the tags of the images, if any.
        tags: Tags of images, where the list of images has them.
    """

    images: Path
    folder: Path | None
    suffixes: dict[str, str]
    seg_suffix: str
    kinds: dict[str, str]
    zero_is_no_label: bool = False
    tag_file: Path | None = None
    tags: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def label_file(self, name: str) -> Path:
        """Return the label file of an image."""
        assert self.folder is not None
        return self.folder / f'{name}{self.seg_suffix}'

    def image(self, name: str) -> Path:
        """Return an image."""
        return self.images / f'{name}{self.suffixes[name]}'

    @property
    def img_suffix(self) -> str | list[str]:
        """The suffix of the images, or a list of several."""
        found = sorted({self.suffixes[name] for name in self.kinds})
        return found[0] if len(found) == 1 else found

    def load(self, name: str) -> Labels:
        """Return a label map: class indices, 255 = no label.

        Raises:
            FormatError: If the file is broken, or not a label map.
        """
        path = self.label_file(name)
        values = load_png_index(path)
        if values.max(initial=0) > NO_LABEL:
            raise FormatError(
                path, '', f'expected values up to 255, got {values.max()}'
            )
        if self.zero_is_no_label:
            values = np.where(values == 0, NO_LABEL + 1, values) - 1
        return values.astype(np.uint8)


def pair(labels: Path, finder: ImageFinder) -> LabelSet:
    """Match the PNGs of a folder with the images, where they lie.

    Raises:
        ValueError: If there is no PNG for any image, or the folders within
            differ, so that a dataset could not find the files.
    """
    files = [
        path.relative_to(labels).as_posix()
        for path in label_files(labels)
        if path.suffix.lower() == '.png'
    ]
    images = {
        path.with_suffix('').as_posix(): path.suffix
        for paths in finder.images.values()
        for path in paths
    }
    suffix = _common_suffix(files, images)
    names = [
        file.removesuffix(suffix)
        for file in files
        if file.endswith(suffix) and file.removesuffix(suffix) in images
    ]
    if not names:
        raise ValueError(
            f'{labels}: expected PNGs with the names of the images in '
            f'{finder.folder}, such as {next(iter(images))}.png; got '
            f'{files[0] if files else "no PNG"}'
        )
    kinds = dict.fromkeys(names, '')
    return LabelSet(finder.folder, labels, images, suffix, kinds)


def _common_suffix(files: Sequence[str], images: dict[str, str]) -> str:
    """Return what most label files have behind the name of their image."""
    found: Counter[str] = Counter()
    for file in files[:SAMPLE]:
        stem = file.removesuffix('.png').removesuffix('.PNG')
        for end in range(len(stem), 0, -1):
            if stem[:end] in images:
                found[file[end:]] += 1
                break
    return found.most_common(1)[0][0] if found else '.png'


def from_sidecar(labels: Path, finder: ImageFinder) -> LabelSet:
    """Return the images that a ``labels.json`` lists.

    Raises:
        ValueError: If none of them is among the images.
    """
    listed = read_sidecar(labels / SIDECAR)['images']
    suffixes: dict[str, str] = {}
    for name in listed:
        for path in finder.find(name):
            if path.with_suffix('').as_posix() == name:
                suffixes[name] = path.suffix
    if not suffixes:
        raise ValueError(
            f'{labels / SIDECAR}: none of its {len(listed)} images is in '
            f'{finder.folder}'
        )
    kinds = {name: listed[name]['supervision'] for name in suffixes}
    found = LabelSet(finder.folder, labels, suffixes, '.png', kinds)
    if any(listed[name].get('tags') for name in found.kinds):
        found.tag_file = labels / SIDECAR
    if set(found.kinds.values()) == {'tag'}:
        found.folder = None
    return found


def from_list(listing: Path, finder: ImageFinder) -> LabelSet:
    """Return the images of a list, some with masks and others with tags.

    Masks are looked for in a folder such as ``masks`` beside that of the
    images. Tags stand in the list, or in a ``labels.json`` beside the list,
    beside the images or in a folder ``tags`` there.

    Raises:
        FileNotFoundError: If a mask or the tags are not found.
        ValueError: If there are other kinds of labels.
    """
    entries = read_list(listing, finder)
    others = {entry.supervision for entry in entries} - {'dense', 'tag'}
    if others:
        raise ValueError(
            f'{listing}: expected images that are dense or tag, got '
            f'{", ".join(sorted(others))}: give the folder of these labels'
        )
    suffixes = {
        path.with_suffix('').as_posix(): path.suffix
        for paths in finder.images.values()
        for path in paths
    }
    kinds = {entry.name: entry.supervision for entry in entries}
    found = LabelSet(finder.folder, None, suffixes, '.png', kinds)
    for entry in entries:
        if entry.name not in suffixes:
            raise FileNotFoundError(
                f'{entry.where}: no image {entry.name} in {finder.folder}'
            )
    found.folder = _masks_of(listing, finder.folder, kinds)
    found.tags = {e.name: e.tags for e in entries if e.tags is not None}
    if 'tag' in kinds.values() and not found.tags:
        found.tag_file = _tags_beside(listing, finder.folder)
    return found


def _masks_of(
    listing: Path, images: Path, kinds: Mapping[str, str]
) -> Path | None:
    names = [name for name, kind in kinds.items() if kind == 'dense']
    if not names:
        return None
    folder = find_beside(images, 'dense')
    if folder is None:
        raise FileNotFoundError(
            f'{listing}: {len(names)} images are dense, but there is no '
            f'folder such as masks beside {images}'
        )
    for name in names:
        if not (folder / f'{name}.png').is_file():
            raise FileNotFoundError(
                f'{listing}: {name} is dense, but there is no '
                f'{folder / name}.png'
            )
    return folder


def _tags_beside(listing: Path, images: Path) -> Path:
    for root in (listing.parent, *images.absolute().parents[:2]):
        for folder in (root, root / 'tags'):
            if (folder / SIDECAR).is_file():
                return folder / SIDECAR
    raise FileNotFoundError(
        f'{listing}: expected tags in its lines, "NAME tag CLASS, CLASS", or '
        f'in {listing.parent / SIDECAR} or {listing.parent}/tags/{SIDECAR}'
    )


@dataclass
class Facts:
    """What label files hold.

    Attributes:
        files: Number of files read.
        pixels: ``(256,)``, pixels by value, after the numbering.
        images: ``(256,)``, files by value.
        kinds: Number of files by kind of labels.
        palette: Colours of the first file; empty if it has none.
    """

    files: int = 0
    pixels: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(256, np.int64)
    )
    images: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(256, np.int64)
    )
    kinds: Counter[str] = field(default_factory=Counter)
    palette: tuple[tuple[int, ...], ...] = ()

    @property
    def share(self) -> float:
        """Labelled share of the pixels."""
        total = int(self.pixels.sum())
        return 1 - int(self.pixels[NO_LABEL]) / total if total else 0.0

    @property
    def classes(self) -> int:
        """One more than the largest value that is a label."""
        found = np.flatnonzero(self.pixels[:NO_LABEL])
        return int(found[-1]) + 1 if len(found) else 0


def examine(data: LabelSet) -> Facts:
    """Read label files, and find the kind of labels where it is not known.

    If all of an evenly spread sample look alike, so do the others;
    otherwise every file is read.

    Raises:
        FormatError: If a file is broken, or not a label map.
    """
    names = [name for name, kind in data.kinds.items() if kind != 'tag']
    if data.folder is None or not names:
        return Facts()
    facts = Facts()
    facts.palette = _palette(data.label_file(names[0]))
    known = all(data.kinds[name] for name in names)
    sample = spread(names, SAMPLE)
    kinds = _read(data, sample, facts)
    seen = {kind for kind in kinds.values() if kind}
    if not known and len(seen) > 1 and len(sample) < len(names):
        common, number = Counter(kinds.values()).most_common(1)[0]
        if common and number >= 0.95 * len(sample):
            seen = {common}
        else:
            facts = Facts(palette=facts.palette)
            kinds = _read(data, names, facts)
    if not known:
        usual = Counter(k for k in kinds.values() if k).most_common(1)
        default = usual[0][0] if usual else 'scribble'
        one = len(seen) == 1
        for name in names:
            own = None if one else kinds.get(name)
            data.kinds[name] = data.kinds[name] or own or default
    facts.kinds = Counter(data.kinds.values())
    return facts


def _read(
    data: LabelSet, names: Sequence[str], facts: Facts
) -> dict[str, str | None]:
    """Add files to the facts; return the kind that each looks like."""
    kinds: dict[str, str | None] = {}
    for name in names:
        values = data.load(name)
        found = np.bincount(values.ravel(), minlength=256)
        facts.pixels += found
        facts.images += found > 0
        facts.files += 1
        kinds[name] = kind_of_map(values)
    return kinds


def _palette(path: Path) -> tuple[tuple[int, ...], ...]:
    with Image.open(path) as picture:
        numbers = picture.getpalette() or []
    return tuple(
        tuple(numbers[k : k + 3]) for k in range(0, len(numbers) - 2, 3)
    )


def spread(names: Sequence[str], number: int) -> list[str]:
    """Return at most ``number`` of the names, spread evenly over them."""
    if len(names) <= number:
        return list(names)
    step = len(names) / number
    return [names[int(k * step)] for k in range(number)]


def median_size(data: LabelSet) -> tuple[int, int]:
    """Return the median ``(width, height)`` of the images.

    Raises:
        FormatError: If a file is not an image.
    """
    sizes = [image_size(data.image(n)) for n in spread([*data.kinds], SAMPLE)]
    width, height = np.median(sizes, axis=0)
    return int(width), int(height)


def common_root(folders: Iterable[Path | None]) -> Path:
    """Return the lowest folder above all."""
    given: list[Any] = [os.path.abspath(f) for f in folders if f is not None]
    return Path(os.path.commonpath(given))
