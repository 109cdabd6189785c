"""Which format a file or folder of labels is in."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from ..labels.image_finder import ImageFinder
from ..labels.image_list import ImageEntry, parse_list
from ..labels.importers import FORMATS, load_reader, reader_options
from ..labels.label_folder import SIDECAR
from ..labels.label_map import NO_LABEL, Labels, load_png_index

#: A folder of label maps with a ``labels.json``, as our tools write it.
LABEL_FOLDER = 'labels.json'
#: A list of images with their kinds of labels, as make_hybrid_split writes it.
LIST = 'list'
#: So many images of a source are read to recognise its format.
SAMPLE = 20
#: Strokes are at most twice as wide as this, in pixels.
STROKE_RADIUS = 4.0


def recognise(
    labels: Path, finder: ImageFinder, settings: Sequence[str] = ()
) -> str:
    """Return the format: of ``FORMATS``, ``labels.json`` or ``list``.

    Each reader tries to read the first images. The format is the one that
    gives labels for most of them.

    Args:
        labels: A file or folder.
        finder: Finds the images.
        settings: ``key=value`` options of the reader.

    Raises:
        FileNotFoundError: If ``labels`` does not exist.
        ValueError: If no reader finds labels of these images.
    """
    if not labels.exists():
        raise FileNotFoundError(f'no file or folder {labels}')
    if labels.is_dir() and (labels / SIDECAR).is_file():
        return LABEL_FOLDER
    if labels.suffix == '.txt' and is_list(labels, finder):
        return LIST
    found: dict[str, int] = {}
    reasons = []
    for name in FORMATS:
        try:
            found[name] = _count(name, labels, finder, settings)
        except (OSError, ValueError) as error:
            reasons.append(f'  {name}: {" ".join(str(error).split())}')
            continue
        if not found[name]:
            reasons.append(f'  {name}: no labels of these images')
    best = max(found.values(), default=0)
    if not best:
        raise ValueError(
            f'{labels}: expected labels of the images in {finder.folder} in '
            'one of these formats (--format takes one):\n' + '\n'.join(reasons)
        )
    names = [name for name, number in found.items() if number == best]
    if {'index-png', 'label-images'} <= set(names):
        return 'label-images' if zero_is_no_label(labels) else 'index-png'
    return names[0]


def is_list(path: Path, finder: ImageFinder) -> bool:
    """Tell whether a file names images and a kind of labels for each."""
    with suppress(ValueError):
        entries = read_list(path, finder)
        return bool(entries) and all(
            entry.supervision and finder.locate(entry.image or entry.name)
            for entry in entries[:SAMPLE]
        )
    return False


def read_list(path: Path, finder: ImageFinder) -> list[ImageEntry]:
    """Return the images of a list.

    Raises:
        ValueError: If it is not such a list.
    """
    suffixes = {p.suffix for paths in finder.images.values() for p in paths}
    return parse_list(
        path.read_bytes(), str(path), default='', img_suffix=sorted(suffixes)
    )


def _count(
    name: str, labels: Path, finder: ImageFinder, settings: Sequence[str]
) -> int:
    """Return how many of the first images a reader finds labels for."""
    options = reader_options(name, settings)
    items = load_reader(name)(labels, **options)
    return sum(
        bool(item.shapes or item.tags)
        and (bool(options.get('suffix')) or _has_image(item.image, finder))
        for item in islice(items, SAMPLE)
    )


def _has_image(name: str, finder: ImageFinder) -> bool:
    """Tell whether there is such an image, or one that the name begins with.

    Label files are often called as the image and a suffix, ``a_mask.png``.
    """
    if finder.locate(name):
        return True
    stem = Path(name).stem
    return any(stem[:end] in finder.images for end in range(len(stem), 0, -1))


def zero_is_no_label(labels: Path) -> bool:
    """Tell whether 0 means "no label" in a folder of label images.

    It does if no file has 255, most pixels are 0, and what is left is thin
    or small as strokes and points are.
    """
    thin = total = zeros = pixels = 0
    for path in islice(label_files(labels), SAMPLE):
        if path.suffix.lower() != '.png':
            return True  # napari's TIFF
        values = load_png_index(path)
        if (values == NO_LABEL).any():
            return False
        drawn = (values > 0).astype(np.uint8)
        depth = cv2.distanceTransform(drawn, cv2.DIST_L2, 3)
        thin += int((drawn.astype(bool) & (depth <= STROKE_RADIUS)).sum())
        total += int(drawn.sum())
        zeros += int((drawn == 0).sum())
        pixels += drawn.size
    return bool(total) and zeros > pixels / 2 and thin > 0.98 * total


def label_files(labels: Path) -> Iterator[Path]:
    """Yield the label images of a folder, or the one file."""
    if not labels.is_dir():
        yield labels
        return
    yield from (
        path
        for path in sorted(labels.rglob('*'))
        if path.suffix.lower() in ('.png', '.tif', '.tiff')
        and path.name[0] != '.'
    )


def kind_of_map(labels: Labels) -> str | None:
    """Return the kind of labels that a map looks like.

    Args:
        labels: ``(H, W)``, class indices and 255 = no label.

    Returns:
        ``'dense'`` if at least three quarters are labelled; ``'point'`` if
        most labelled areas are small and compact; ``'block'`` if a fifth of
        the labelled pixels lies deep inside; else ``'scribble'``. None if
        nothing is labelled.
    """
    known = (labels != NO_LABEL).astype(np.uint8)
    share = known.mean()
    if share == 0:
        return None
    if share >= 0.75:
        return 'dense'
    _, _, stats, _ = cv2.connectedComponentsWithStats(known, connectivity=8)
    width, height, area = stats[1:, 2], stats[1:, 3], stats[1:, 4]
    side = np.maximum(width, height)
    small = (side <= 2 * STROKE_RADIUS + 1) & (2 * area >= width * height)
    if small.mean() >= 0.8:
        return 'point'
    depth = cv2.distanceTransform(known, cv2.DIST_L2, 5)
    deep = depth > max(6.0, 0.02 * min(labels.shape))
    return 'block' if deep.sum() >= 0.2 * known.sum() else 'scribble'
