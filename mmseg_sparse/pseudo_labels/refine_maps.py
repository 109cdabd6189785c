"""Refinement, by their images, of soft predictions that lie in files."""

import hashlib
import io
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmseg_sparse.functional.resize import resize_inside, shrink_image
from mmseg_sparse.labels.heatmap_file import (
    SUFFIX,
    read_heatmaps,
    write_heatmaps,
)

from ..models.refiners import (
    DenseCRF,
    ImageRefiner,
    PixelAdaptiveRefinement,
)
from ..utils.atomic import write_whole
from .output_folder import GeneratedFolder, Progress
from .provenance import INPUTS, REFINED_SIDECAR, Origin, heatmaps_sha256

PLAIN = '.npy'
IMAGES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff')


def refine_maps(
    maps: str | Path,
    images: str | Path,
    out: str | Path,
    refiner: ImageRefiner,
    *,
    softmax: bool = False,
    device: str = 'cpu',
    overwrite: bool = False,
    progress: Progress | None = None,
) -> tuple[int, int]:
    """Refine a folder of soft predictions by their images.

    A file is ``NAME.npz`` as :func:`~mmseg_sparse.labels.write_heatmaps`
    writes it, of present classes alone, or ``NAME.npy``, an array of floats
    ``(C, h, w)``; its image is ``NAME`` with the suffix of a picture, folders
    kept. The refined file has the same form and size. A run that was stopped
    goes on: complete files stay, unless the prediction or the image has
    changed since.

    Args:
        maps: Folder of the predictions.
        images: Folder of the images.
        out: Folder to make, or to go on with.
        refiner: How to refine. For a ``DenseCRF`` maps are probabilities;
            where a pixel's sum to less than 1, the rest is that of a further
            class.
        softmax: Whether the arrays are logits.
        device: The device to refine on.
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
    files = _files(maps, images, out)
    folder = GeneratedFolder(
        out,
        REFINED_SIDECAR,
        (SUFFIX, PLAIN),
        _origin(refiner, softmax, maps, images),
    )
    written = folder.fill(
        files,
        _MapWriter(refiner.to(device), softmax, device, out),
        overwrite=overwrite,
        progress=progress,
    )
    return written, len(files) - written


def _origin(
    refiner: ImageRefiner, softmax: bool, maps: Path, images: Path
) -> Origin:
    options: dict[str, Any] = dict(
        **_settings(refiner),
        scale=refiner.scale,
        softmax=softmax,
        maps=str(maps),
        images=str(images),
    )
    heatmaps = heatmaps_sha256(maps)
    if heatmaps is not None:
        options['heatmaps'] = heatmaps
    return Origin('refine_maps', {}, options)


def _settings(refiner: ImageRefiner) -> dict[str, Any]:
    if isinstance(refiner, DenseCRF):
        return asdict(refiner.kernels) | dict(
            refiner='DenseCRF',
            num_iters=refiner.num_iters,
            min_prob=refiner.min_prob,
            sigma_xy=refiner.sigma_xy,
            smooth_sigma=refiner.smooth_sigma,
        )
    if not isinstance(refiner, PixelAdaptiveRefinement):
        raise TypeError(
            'refiner must be a PixelAdaptiveRefinement or DenseCRF, got a '
            f'{type(refiner).__name__}'
        )
    kernel = refiner.affinity.keywords
    return dict(
        dilations=kernel['dilations'],
        num_iters=refiner.num_iters,
        w_rgb=kernel['w_rgb'],
        w_pos=kernel['w_pos'],
        w_mix=kernel['w_mix'],
    )


@dataclass(frozen=True)
class _MapFile:
    """A soft prediction and its image."""

    name: str
    path: Path
    image: Path


def _files(maps: Path, images: Path, out: Path) -> list[_MapFile]:
    """Return what is to be refined."""
    for folder in (maps, images):
        if not folder.is_dir():
            raise FileNotFoundError(f'{folder} is not a folder')
    if out.resolve().is_relative_to(maps.resolve()):
        raise ValueError(
            f'expected an output folder outside of {maps}, whose files are '
            f'refined, got {out}'
        )
    found = [
        _MapFile(
            path.relative_to(maps).as_posix(),
            path,
            _image_of(path, maps, images),
        )
        for path in sorted(maps.rglob('*'))
        if path.suffix in (SUFFIX, PLAIN)
    ]
    if not found:
        raise ValueError(f'{maps}: has no {SUFFIX} or {PLAIN} file')
    return found


class _MapWriter:
    """Writes refined files; an ``output_folder.Writer``."""

    entry: str | None = INPUTS

    def __init__(
        self,
        refiner: ImageRefiner,
        softmax: bool,
        device: str,
        out: Path,
    ) -> None:
        self.refiner = refiner
        self.softmax = softmax
        self.device = device
        self.out = out
        self.listed: dict[str, Any] = {}

    def path(self, file: _MapFile) -> Path:
        """Return the refined file."""
        return self.out / file.name

    def made_of(self, file: _MapFile) -> str:
        """Return a digest of the file and its image."""
        data = file.path.read_bytes() + file.image.read_bytes()
        return hashlib.sha256(data).hexdigest()

    def is_whole(self, file: _MapFile) -> bool:
        """Tell whether the file is there: it is moved there when complete."""
        return self.path(file).is_file()

    def write(self, file: _MapFile) -> None:
        """Refine a file."""
        picture = mmcv.imread(str(file.image), channel_order='rgb')
        image = torch.from_numpy(picture).to(self.device).permute(2, 0, 1)
        if file.path.suffix == PLAIN:
            buffer = io.BytesIO()
            array = _read_array(file.path)
            crf = isinstance(self.refiner, DenseCRF)
            if crf and not self.softmax and array.min() < 0:
                raise ValueError(
                    f'{file.path}: a CRF refines probabilities, got values '
                    'below 0: set softmax=True (--softmax) for logits'
                )
            refined = self._refined(array, image.float())
            np.save(buffer, refined, allow_pickle=False)
            write_whole(self.path(file), buffer.getvalue())
            return
        found = read_heatmaps(file.path)
        if self.softmax:
            raise ValueError(
                f'{file.path}: heat maps are not logits: set softmax=False'
            )
        write_heatmaps(
            self.path(file),
            self._refined(found.maps.astype(np.float32), image.float()),
            found.classes,
            num_classes=found.num_classes,
        )

    @torch.no_grad()
    def _refined(
        self, maps: NDArray[np.float32], image: Tensor
    ) -> NDArray[np.float32]:
        """Refine maps ``(C, h, w)`` by an image ``(3, H, W)``.

        They are resized to ``scale`` times the image's size, and back.
        """
        refiner = self.refiner
        prob = torch.from_numpy(maps).to(self.device)
        if self.softmax:
            prob = prob.softmax(0)
        if len(prob):
            size = (maps.shape[1], maps.shape[2])
            small = size
            if refiner.scale is not None:
                small = (
                    max(round(image.shape[1] * refiner.scale), 1),
                    max(round(image.shape[2] * refiner.scale), 1),
                )
            prob = _refine(
                refiner,
                _resized(prob[None], small),
                shrink_image(image[None], small),
            )
            prob = _resized(prob, size)[0]
        result: NDArray[np.float32] = prob.cpu().numpy()
        return result


def _refine(refiner: ImageRefiner, prob: Tensor, colours: Tensor) -> Tensor:
    """Return probabilities of probabilities, both ``(1, C, H, W)``.

    The weights of PAR's neighbours sum to ``1 + w_mix`` (eq. 9); its result
    is divided by that.
    """
    if isinstance(refiner, PixelAdaptiveRefinement):
        total = 1 + refiner.affinity.keywords['w_mix']
        refined = refiner.refine(prob, colours)
        return refined / total**refiner.num_iters
    assert isinstance(refiner, DenseCRF)
    rest = (1 - prob.sum(1, keepdim=True)).clamp(min=0)
    every = torch.cat([prob, rest], 1)
    return refiner.refine(every, colours / refiner.std)[:, :-1]


def _read_array(path: Path) -> NDArray[np.float32]:
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f'{path}: cannot be read: {error}') from error
    if array.ndim != 3 or array.dtype.kind != 'f' or 0 in array.shape:
        raise ValueError(
            f'{path}: expected floats (C, H, W), got {array.dtype} '
            f'{array.shape}'
        )
    if not np.isfinite(array).all():
        raise ValueError(f'{path}: has values that are not finite')
    return np.ascontiguousarray(array, np.float32)


def _image_of(path: Path, maps: Path, images: Path) -> Path:
    stem = images / path.relative_to(maps).with_suffix('')
    named = [stem.with_name(stem.name + suffix) for suffix in IMAGES]
    found = [other for other in named if other.is_file()]
    if len(found) != 1:
        raise FileNotFoundError(
            f'{path}: expected one image {stem}.*, got '
            f'{", ".join(map(str, found)) or "none"}'
        )
    return found[0]


def _resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return maps if maps.shape[2:] == size else resize_inside(maps, size)
