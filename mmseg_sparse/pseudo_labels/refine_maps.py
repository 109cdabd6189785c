"""Pixel-adaptive refinement of soft predictions that lie in files."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from mmseg_sparse.functional import pixel_adaptive_refine
from mmseg_sparse.labels.heatmap_file import (
    SUFFIX,
    read_heatmaps,
    write_heatmaps,
)

from ..utils.atomic import write_whole
from .output_folder import GeneratedFolder
from .provenance import INPUTS, REFINED_SIDECAR, Origin, heatmaps_sha256

TOOL = 'refine_maps'
PLAIN = '.npy'
IMAGES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff')


@dataclass(frozen=True)
class Refinement:
    """How maps are refined; the arguments of ``pixel_adaptive_refine``.

    Attributes:
        dilations: Distances of the neighbours, in pixels of the size that is
            refined at.
        num_iters: Number of iterations.
        w_rgb: Width of the colours' kernel, in standard deviations.
        w_pos: Width of the positions' kernel, in standard deviations.
        w_mix: Weight of the positions' kernel.
        scale: That size, as a share of the image's.
        softmax: Whether arrays are logits.
    """

    dilations: tuple[int, ...] = (1, 2, 4, 8, 12, 24)
    num_iters: int = 10
    w_rgb: float = 0.3
    w_pos: float = 0.3
    w_mix: float = 0.01
    scale: float = 1.0
    softmax: bool = False

    def __post_init__(self) -> None:
        """Check the scale; the others are checked where they are used."""
        if not 0 < self.scale <= 1:
            raise ValueError(f'scale must lie in (0, 1], got {self.scale}')

    @torch.no_grad()
    def refine(self, maps: Tensor, image: Tensor) -> Tensor:
        """Refine maps ``(C, h, w)`` of an image ``(3, H, W)``.

        They are resized to ``scale`` times the image's size, and back. The
        weights of a pixel's neighbours sum to ``1 + w_mix`` (eq. 9); that is
        divided by, so that probabilities stay such.
        """
        prob = maps.softmax(0) if self.softmax else maps
        height, width = image.shape[1:]
        size = (
            max(round(height * self.scale), 1),
            max(round(width * self.scale), 1),
        )
        if len(prob) == 0:
            return prob
        small = F.interpolate(image[None], size, mode='area')
        refined = pixel_adaptive_refine(
            _resized(prob[None], size), small,
            dilations=self.dilations, num_iters=self.num_iters,
            w_rgb=self.w_rgb, w_pos=self.w_pos, w_mix=self.w_mix,
        )  # fmt: skip
        refined = refined / (1 + self.w_mix) ** self.num_iters
        return _resized(refined, (maps.shape[1], maps.shape[2]))[0]


def refine_maps(
    maps: str | Path,
    images: str | Path,
    out: str | Path,
    refinement: Refinement,
    *,
    device: str = 'cpu',
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[int, int]:
    """Refine a folder of soft predictions by their images.

    A file is ``NAME.npz`` as :func:`~mmseg_sparse.labels.write_heatmaps`
    writes it, of present classes alone, or ``NAME.npy``, an array of floats
    ``(C, h, w)``; its image is ``NAME`` with the suffix of a picture, folders
    kept. The refined file has the same form and size. A run that was stopped
    goes on; files that are whole are left alone, unless the prediction or
    the image has changed since.

    Args:
        maps: Folder of the predictions.
        images: Folder of the images.
        out: Folder to make, or to go on with.
        refinement: How to refine.
        device: Where to.
        overwrite: Remove what this has written there, and begin again.
        progress: Called with (files done, files in all).

    Returns:
        How many files were written, and how many were there.

    Raises:
        FileNotFoundError: If a folder or an image is missing.
        FileExistsError: If ``out`` has files of other settings, or another
            process is writing to it.
        ValueError: If there is nothing to refine, or a file holds something
            else.
    """
    maps, images, out = Path(maps), Path(images), Path(out)
    for folder in (maps, images):
        if not folder.is_dir():
            raise FileNotFoundError(f'{folder} is no folder')
    if out.resolve().is_relative_to(maps.resolve()):
        raise ValueError(
            f'{out}: wanted a folder outside of {maps}, whose files are '
            'refined'
        )
    files = sorted(p for p in maps.rglob('*') if p.suffix in (SUFFIX, PLAIN))
    if not files:
        raise ValueError(f'{maps}: has no {SUFFIX} or {PLAIN} file')
    pairs = [(path, _image_of(path, maps, images)) for path in files]
    names = [path.relative_to(maps) for path in files]
    options: dict[str, Any] = dict(
        asdict(refinement), maps=str(maps), images=str(images)
    )
    heatmaps = heatmaps_sha256(maps)
    if heatmaps is not None:
        options['heatmaps'] = heatmaps
    folder = GeneratedFolder(
        out, REFINED_SIDECAR, (SUFFIX, PLAIN), Origin(TOOL, {}, options)
    )
    written = 0
    with folder.alone():
        folder.prepare(overwrite)
        digests = {
            name.as_posix(): hashlib.sha256(
                b''.join(file.read_bytes() for file in pair)
            ).hexdigest()
            for name, pair in zip(names, pairs, strict=True)
        }
        folder.forget_changed(INPUTS, digests)
        for done, ((path, image), name) in enumerate(
            zip(pairs, names, strict=True), 1
        ):
            # Moved there when it was whole: nothing half is ever there.
            if not (out / name).is_file():
                _refine_file(path, image, out / name, refinement, device)
                written += 1
            if progress is not None:
                progress(done, len(files))
    return written, len(files) - written


def _refine_file(
    path: Path, image: Path, out: Path, refinement: Refinement, device: str
) -> None:
    picture = mmcv.imread(str(image), channel_order='rgb')
    pixels = torch.from_numpy(picture).to(device).permute(2, 0, 1).float()
    if path.suffix == SUFFIX:
        found = read_heatmaps(path)
        if refinement.softmax:
            raise ValueError(f'{path}: heat maps are no logits: softmax=False')
        given = found.maps.astype(np.float32)
        refined = _numpy(refinement, given, pixels, device)
        write_heatmaps(
            out, refined, found.classes, num_classes=found.num_classes
        )
        return
    refined = _numpy(refinement, _read_array(path), pixels, device)
    buffer = io.BytesIO()
    np.save(buffer, refined, allow_pickle=False)
    write_whole(out, buffer.getvalue())


def _numpy(
    refinement: Refinement,
    maps: NDArray[np.float32],
    image: Tensor,
    device: str,
) -> NDArray[np.float32]:
    refined = refinement.refine(torch.from_numpy(maps).to(device), image)
    result: NDArray[np.float32] = refined.cpu().numpy()
    return result


def _read_array(path: Path) -> NDArray[np.float32]:
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f'{path}: cannot be read: {error}') from error
    if array.ndim != 3 or array.dtype.kind != 'f' or 0 in array.shape:
        raise ValueError(
            f'{path}: wanted floats (C, H, W), got {array.dtype} {array.shape}'
        )
    if not np.isfinite(array).all():
        raise ValueError(f'{path}: holds numbers that are not finite')
    return np.ascontiguousarray(array, np.float32)


def _image_of(path: Path, maps: Path, images: Path) -> Path:
    stem = images / path.relative_to(maps).with_suffix('')
    found = [
        other
        for suffix in IMAGES
        for other in (stem.with_name(stem.name + suffix),)
        if other.is_file()
    ]
    if len(found) != 1:
        raise FileNotFoundError(
            f'{path}: wanted one image {stem}.*, found '
            f'{", ".join(map(str, found)) or "none"}'
        )
    return found[0]


def _resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    if maps.shape[2:] == size:
        return maps
    return F.interpolate(maps, size, mode='bilinear', align_corners=False)
