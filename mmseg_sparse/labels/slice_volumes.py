"""Slices of NIfTI volumes as grey pictures, to train on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from ..utils.atomic import built_beside
from ..utils.untrusted import FormatError
from .volumes import grey, load_slices, volume_files, volume_name

#: Intensities from which to which a volume is stretched by default.
PERCENTILES = (0.5, 99.5)


def slice_volumes(
    source: Path,
    out: Path,
    *,
    axis: str = 'axial',
    window: tuple[float, float] | None = None,
    percentiles: tuple[float, float] = PERCENTILES,
    channel: int | None = None,
    suffix: str = '',
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write every slice of volumes as a PNG of 8 bits.

    Slice ``K`` of ``a.nii.gz`` becomes ``a_slice_K.png``, which is the name
    that importing ``nifti`` and ``nnunet`` gives its labels.

    Args:
        source: A NIfTI file, or a folder of them, folders within included.
        out: Folder to make; it is written completely or not at all.
        axis: ``axial``, ``coronal`` or ``sagittal``.
        window: Intensities that become 0 and 255; what is beyond, too.
        percentiles: Of a volume's intensities, in place of ``window``.
        channel: The one of volumes of four dimensions that is wanted.
        suffix: Behind the name of a volume, such as ``_0000`` of nnU-Net's
            first channel; files of a folder without it are ignored.
        progress: Called with (files done, files in all).

    Returns:
        The number of slices.

    Raises:
        FileExistsError: If ``out`` is not empty.
        FormatError: If a file is no volume of finite numbers.
        ModuleNotFoundError: If nibabel is not installed.
        OSError: If ``source`` is missing.
        ValueError: If an argument is wrong, or two volumes have one name.
    """
    _check_range(window, percentiles)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(
            f'{out} exists: name another folder or remove it'
        )
    files = _named_files(source, suffix)
    count = 0
    with built_beside(out) as making:
        for done, (name, path) in enumerate(files.items(), 1):
            slices = load_slices(path, axis, channel).slices
            if not np.isfinite(slices).all():
                problem = 'expected finite intensities, got NaN or infinity'
                raise FormatError(path, '', problem)
            low, high = window or np.percentile(slices, percentiles)
            (making / name).parent.mkdir(parents=True, exist_ok=True)
            for number, values in enumerate(slices):
                picture = Image.fromarray(grey(values, low, high))
                picture.save(making / f'{name}_slice_{number}.png')
            count += len(slices)
            if progress is not None:
                progress(done, len(files))
    return count


def _named_files(source: Path, suffix: str) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for path in volume_files(source, suffix):
        name = volume_name(path, source, suffix)
        if name in files:
            raise ValueError(f'{files[name]} and {path} have the same name')
        files[name] = path
    return files


def _check_range(
    window: tuple[float, float] | None, percentiles: tuple[float, float]
) -> None:
    low, high = window or percentiles
    if not low < high or (not window and not 0 <= low < high <= 100):
        raise ValueError(
            f'{"window" if window else "percentiles"}: expected two numbers'
            f'{"" if window else " from 0 to 100"}, the lower one first, got '
            f'{low:g} and {high:g}'
        )
