"""A dense data set cut into tiles, with the tags of each."""

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ...utils.atomic import built_beside
from ...utils.untrusted import FormatError
from ..image_finder import ImageFinder
from ..label_folder import SIDECAR, VERSION, read_sidecar, write_sidecar
from ..label_map import NO_LABEL, distinct_palette, encode_index_png
from .folder import FolderJob

TOOL = 'tile_dataset'
EDGES = ('overlap', 'keep', 'drop')
IMAGES, MASKS = 'images', 'masks'


@dataclass(frozen=True)
class Tiling:
    """How images are cut.

    Attributes:
        height: Of a tile, in pixels.
        width: Of a tile, in pixels.
        edges: What becomes of the rest at the right and at the bottom:
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
    Tiles of void alone are left out. ``out`` appears whole or not at all.

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
        FileNotFoundError: If there is no such PNG in ``masks``.
        FileExistsError: If ``out`` exists and may not be replaced.
        FormatError: If an image is missing or broken or not as large as its
            mask, or a mask cannot be used.
        ValueError: If an option is out of range, ``out`` is in one of the
            folders, or no tile is left.
    """
    job.check()
    images, masks, out = Path(images), Path(masks), Path(out)
    _check_out(out, overwrite, (images, masks))
    paths = sorted(p for p in masks.rglob(f'*{suffix}') if p.is_file())
    if not paths:
        what = f'no *{suffix} in it' if masks.is_dir() else 'no such folder'
        raise FileNotFoundError(f'{masks}: {what}')
    finder = ImageFinder(images)
    with built_beside(out) as making:
        entries: dict[str, Any] = {}
        for done, path in enumerate(paths, 1):
            name = path.relative_to(masks).as_posix().removesuffix(suffix)
            source = _find(finder, name, path)
            for tile in _tiles(job, tiling, images / source, path):
                _write(making, f'{name}_{tile.top}_{tile.left}', tile, job)
                entries[f'{name}_{tile.top}_{tile.left}'] = tile.info(
                    source.as_posix()
                )
            if progress is not None:
                progress(done, len(paths))
        if not entries:
            raise ValueError(f'{masks}: no tile of it has a labelled pixel')
        sidecar = _sidecar(job, tiling, entries)
        write_sidecar(making, sidecar)
        _check_out(out, overwrite, (images, masks))  # meanwhile
    return sidecar


@dataclass(frozen=True, eq=False)
class _Tile:
    """A tile, cut out.

    Attributes:
        top: Its first row in the image.
        left: Its first column.
        image: ``(h, w)`` or ``(h, w, 3)``.
        labels: ``(h, w)``, 255 = void.
        tags: Names of the classes.
    """

    top: int
    left: int
    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    tags: tuple[str, ...]

    def info(self, source: str) -> dict[str, Any]:
        """Return the tile's entry in the sidecar."""
        height, width = self.labels.shape
        return dict(
            supervision='tag',
            size=[width, height],
            tags=list(self.tags),
            source=source,
            box=[self.left, self.top, self.left + width, self.top + height],
        )


def _tiles(
    job: FolderJob, tiling: Tiling, image: Path, mask: Path
) -> Iterator[_Tile]:
    """Yield the tiles of an image that have a labelled pixel."""
    labels = job.load(mask)
    pixels = _load_image(image)
    if pixels.shape[:2] != labels.shape:
        raise FormatError(
            mask, '',
            f'is {_size(labels)}, the image {image} {_size(pixels)}',
        )  # fmt: skip
    background = job.options.get('background', 0)
    names = [n for i, n in enumerate(job.classes) if i != background]
    for top, left, bottom, right in tiling.boxes(*labels.shape):
        part = np.ascontiguousarray(labels[top:bottom, left:right])
        if (part == NO_LABEL).all():
            continue
        hot = job.run(part, mask.stem)
        tags = tuple(n for n, h in zip(names, hot, strict=True) if h)
        yield _Tile(top, left, pixels[top:bottom, left:right], part, tags)


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


def _write(folder: Path, name: str, tile: _Tile, job: FolderJob) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(tile.image)).save(buffer, 'PNG')
    palette = job.palette or distinct_palette(len(job.classes))
    for kind, data in (
        (IMAGES, buffer.getvalue()),
        (MASKS, encode_index_png(tile.labels, palette)),
    ):
        path = folder / kind / f'{name}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _find(finder: ImageFinder, name: str, mask: Path) -> Path:
    found = finder.find(f'{name}.png')  # a suffix: dots of names stay
    if len(found) != 1:
        problem = 'no image' if not found else f'{len(found)} images'
        raise FormatError(
            mask, '', f'{problem} of the name {name} in {finder.folder}'
        )
    return Path(found[0])


def _sidecar(
    job: FolderJob, tiling: Tiling, entries: dict[str, Any]
) -> dict[str, Any]:
    return dict(
        version=VERSION,
        tool=TOOL,
        format='tiles with tags',
        classes=list(job.classes),
        class_map={
            str(i + job.reduce_zero_label): i for i in range(len(job.classes))
        },
        options={
            **job.options,
            'void': job.void,
            'reduce_zero_label': job.reduce_zero_label,
            'height': tiling.height,
            'width': tiling.width,
            'edges': tiling.edges,
        },
        images=dict(sorted(entries.items())),
    )


def _check_out(out: Path, overwrite: bool, sources: Sequence[Path]) -> None:
    """Raise unless tiles may be written to ``out``."""
    for source in sources:
        if source.resolve() in (out.resolve(), *out.resolve().parents):
            raise ValueError(f'{out} lies in the folder {source}')
        if out.resolve() in source.resolve().parents:
            raise ValueError(f'{out} holds the folder {source}')
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not overwrite:
        raise FileExistsError(
            f'{out} exists: name another folder, or --overwrite'
        )
    try:
        sidecar = read_sidecar(out)
    except (OSError, ValueError) as error:
        raise FileExistsError(
            f'{out} is not overwritten: it is no folder of tiles ({error})'
        ) from error
    ours = {out / SIDECAR}
    if sidecar['tool'] == TOOL:
        for name in sidecar['images']:
            ours |= {out / k / f'{name}.png' for k in (IMAGES, MASKS)}
    for path in sorted(out.rglob('*')):
        if path not in ours and (path.is_symlink() or not path.is_dir()):
            raise FileExistsError(
                f'{out} is not overwritten: {path} is none of its tiles'
            )


def _size(pixels: NDArray[np.uint8]) -> str:
    return f'{pixels.shape[1]}x{pixels.shape[0]} pixels'
