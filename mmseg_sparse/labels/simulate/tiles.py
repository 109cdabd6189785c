"""A dense data set cut into tiles, with the tags of each."""

import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ...utils.untrusted import FormatError
from ..image_finder import ImageFinder
from ..label_folder import (
    LabelFile,
    check_label_folder,
    write_label_folder,
)
from ..label_map import NO_LABEL, distinct_palette, encode_index_png
from .folder import FolderJob, check_outside, find_masks

EDGES = ('overlap', 'keep', 'drop')
#: Of the masks and of the images of the tiles.
FOLDERS = ('masks', 'images')


@dataclass(frozen=True)
class Tiling:
    """How images are cut.

    Attributes:
        height: Of a tile, in pixels.
        width: Of a tile, in pixels.
        edges: What happens to the rest at the right and at the bottom:
            ``'overlap'`` moves the last tile back, so that it has the full
            size and shares pixels with its neighbour; ``'keep'`` makes a
            smaller tile; ``'drop'`` leaves it out. An image smaller than a
            tile is one tile, or with ``'drop'`` none.

    Raises:
        ValueError: If an attribute is out of range.
    """

    height: int
    width: int
    edges: str = 'overlap'

    def __post_init__(self) -> None:
        """Check the attributes."""
        if min(self.height, self.width) < 1:
            raise ValueError(
                'a tile must have at least one pixel, got '
                f'{self.height}x{self.width}'
            )
        if self.edges not in EDGES:
            raise ValueError(
                f'edges must be one of {", ".join(EDGES)}, got {self.edges!r}'
            )

    def boxes(self, height: int, width: int) -> list[tuple[int, ...]]:
        """Return (top, left, bottom, right) of an image's tiles, by rows."""
        return [
            (top, left, bottom, right)
            for top, bottom in self._spans(height, self.height)
            for left, right in self._spans(width, self.width)
        ]

    def _spans(self, length: int, step: int) -> list[tuple[int, int]]:
        whole = [(k, k + step) for k in range(0, length - step + 1, step)]
        done = whole[-1][1] if whole else 0
        if done == length or self.edges == 'drop':
            return whole
        start = max(length - step, 0) if self.edges == 'overlap' else done
        return [*whole, (start, length)]


def tile_dataset(
    job: FolderJob,
    tiling: Tiling,
    images: str | Path,
    masks: str | Path,
    out: str | Path,
    *,
    suffix: str = '.png',
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Cut images and their masks into tiles, and tag each tile.

    Writes ``images/NAME_TOP_LEFT.png``, ``masks/NAME_TOP_LEFT.png`` (index
    PNGs counting from 0, 255 = void) and ``labels.json``, a list of the
    tiles with their tags that ``SparseSegDataset`` takes as ``ann_file``.
    Tiles of only void are left out. ``out`` appears whole or not at all.

    Args:
        job: Of kind ``'tags'``: classes, numbering of the masks, and in its
            options ``background`` and ``min_share``, the least share of a
            tile's pixels of a class that is a tag.
        tiling: How to cut.
        images: Folder of images, found by the names of the masks.
        masks: Folder of index PNGs.
        out: Folder to make.
        suffix: How the names of the masks end; other files are left alone.
        overwrite: Replace a folder of tiles that is there.
        progress: Called with (images done, images in all).

    Returns:
        What ``labels.json`` holds.

    Raises:
        FileNotFoundError: If there are no masks.
        FileExistsError: If ``out`` exists and may not be replaced.
        FormatError: If an image is missing or broken or not as large as its
            mask, or a mask cannot be used.
        ValueError: If an option is out of range, ``out`` is in one of the
            folders, or no tile is left.
    """
    job.check()
    images, masks, out = Path(images), Path(masks), Path(out)
    check_outside(out, images, masks)
    check_label_folder(out, overwrite, folders=FOLDERS)
    named = {
        path.relative_to(masks).as_posix().removesuffix(suffix): path
        for path in find_masks(masks, suffix)
    }
    tiles = _all_tiles(job, tiling, ImageFinder(images), named, progress)
    meta = dict(
        tool='tile_dataset', format='tiles with tags',
        **job.describe(**asdict(tiling)),
    )  # fmt: skip
    return write_label_folder(
        out, tiles, meta, overwrite=overwrite, folders=FOLDERS
    )


def _all_tiles(
    job: FolderJob,
    tiling: Tiling,
    finder: ImageFinder,
    masks: Mapping[str, Path],
    progress: Callable[[int, int], None] | None,
) -> Iterator[LabelFile]:
    empty = True
    for done, (name, path) in enumerate(masks.items(), 1):
        source = _find(finder, name, path)
        for tile in _tiles(job, tiling, finder.folder, source, path):
            empty = False
            name_of_tile = f'{name}_{tile.name}'
            info = {**tile.info, 'image': f'{name_of_tile}.png'}
            yield replace(tile, name=name_of_tile, info=info)
        if progress is not None:
            progress(done, len(masks))
    if empty:
        raise ValueError(f'no tile of {len(masks)} masks has a labelled pixel')


def _tiles(
    job: FolderJob, tiling: Tiling, images: Path, source: Path, mask: Path
) -> Iterator[LabelFile]:
    """Yield the tiles that have a labelled pixel, named by their corners."""
    labels = job.load(mask)
    pixels = _load_image(images / source)
    if pixels.shape[:2] != labels.shape:
        raise FormatError(
            mask, '',
            f'is {_size(labels)}, the image {images / source} '
            f'{_size(pixels)}',
        )  # fmt: skip
    palette = job.palette or distinct_palette(len(job.classes))
    background = job.options.get('background', 0)
    names = [n for i, n in enumerate(job.classes) if i != background]
    for top, left, bottom, right in tiling.boxes(*labels.shape):
        window = np.s_[top:bottom, left:right]
        part = np.ascontiguousarray(labels[window])
        if (part == NO_LABEL).all():
            continue
        shows = job.run(part, mask.stem)
        buffer = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(pixels[window])).save(
            buffer, 'PNG'
        )
        yield LabelFile(
            f'{top}_{left}',
            encode_index_png(part, palette),
            dict(
                supervision='tag',
                size=[right - left, bottom - top],
                tags=[n for n, s in zip(names, shows, strict=True) if s],
                source=source.as_posix(),
                box=[left, top, right, bottom],
            ),
            buffer.getvalue(),
        )


def _load_image(path: Path) -> NDArray[np.uint8]:
    """Read an image as it is shown, grey or RGB, 8 bits."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            with Image.open(path) as picture:
                shown = ImageOps.exif_transpose(picture)
                mode = 'L' if shown.mode in ('1', 'L') else 'RGB'
                if shown.mode.startswith(('I', 'F')):
                    raise FormatError(
                        path, '',
                        f'is of mode {shown.mode}, not of 8 bits a channel',
                    )  # fmt: skip
                return np.asarray(shown.convert(mode))
    except FormatError:
        raise
    except Exception as error:  # Pillow has no common error of broken files
        raise FormatError(path, '', f'no readable image: {error}') from error


def _find(finder: ImageFinder, name: str, mask: Path) -> Path:
    found = finder.find(f'{name}.png')  # a suffix: dots of names stay
    if len(found) != 1:
        problem = 'no image' if not found else f'{len(found)} images'
        raise FormatError(
            mask, '', f'{problem} of the name {name} in {finder.folder}'
        )
    return Path(found[0])


def _size(pixels: NDArray[np.uint8]) -> str:
    return f'{pixels.shape[1]}x{pixels.shape[0]} pixels'
