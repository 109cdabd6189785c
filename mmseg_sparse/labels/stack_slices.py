"""Label maps of slices back into NIfTI volumes."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..utils.atomic import built_beside
from ..utils.untrusted import FormatError
from .label_map import load_png_index
from .volumes import labels_like, save_labels, volume_files, volume_name

#: Volume and number of a slice, as slice_volumes and convert_acdc name it.
SLICE = re.compile(r'(?P<volume>.+)_slice_(?P<number>\d+)')


def stack_slices(
    labels: Path,
    source: Path,
    out: Path,
    *,
    axis: str = 'axial',
    suffix: str = '',
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write a volume of labels for each volume whose slices have label maps.

    ``a_slice_0.png``, ``a_slice_1.png``, ... become ``a.nii.gz``, with the
    affine matrix and the spacing of the volume that was cut.

    Args:
        labels: Folder of the PNGs, folders within included.
        source: The NIfTI file that was cut, or a folder of them; files
            without label maps are ignored.
        out: Folder to make; it is written completely or not at all.
        axis: As it was cut: ``axial``, ``coronal``, ``sagittal``, or
            ``stored`` for slices of ``convert_acdc``.
        suffix: As it was cut, such as ``_0000``.
        progress: Called with (volumes done, volumes in all).

    Returns:
        The number of volumes.

    Raises:
        FileExistsError: If ``out`` is not empty.
        FileNotFoundError: If a volume is not in ``source``.
        FormatError: If a file cannot be read, or has another size than the
            slices of its volume.
        ModuleNotFoundError: If nibabel is not installed.
        ValueError: If a slice is missing or too many, or ``source`` has two
            volumes of one name.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(
            f'{out} exists: name another folder or remove it'
        )
    volumes = _slices_of_volumes(labels)
    paths = volume_files(source, suffix)
    names = [(volume_name(path, source, suffix), path) for path in paths]
    files = {name: _file_of(name, names, source) for name in volumes}
    with built_beside(out) as making:
        for done, (name, slices) in enumerate(volumes.items(), 1):
            voxels, places = labels_like(files[name], axis)
            _fill(places, name, slices, files[name])
            target = making / f'{name}.nii.gz'
            target.parent.mkdir(parents=True, exist_ok=True)
            save_labels(voxels, files[name], target)
            if progress is not None:
                progress(done, len(volumes))
    return len(volumes)


def _slices_of_volumes(labels: Path) -> dict[str, dict[int, Path]]:
    """Return the label maps by volume and number."""
    volumes: dict[str, dict[int, Path]] = defaultdict(dict)
    for path in sorted(labels.rglob('*.png')):
        name = path.relative_to(labels).with_suffix('').as_posix()
        match = SLICE.fullmatch(name)
        if match is None:
            raise ValueError(
                f'{path}: expected a name such as a_slice_0.png, as '
                'slice_volumes gives it'
            )
        number = int(match['number'])
        other = volumes[match['volume']].setdefault(number, path)
        if other != path:
            raise ValueError(f'{other} and {path} are the same slice')
    if not volumes:
        raise FileNotFoundError(
            f'{labels}: expected label maps such as a_slice_0.png, found none'
        )
    return volumes


def _file_of(volume: str, names: list[tuple[str, Path]], source: Path) -> Path:
    """Return the file of a volume; ``convert_acdc`` leaves its folder out."""
    found = [path for name, path in names if name == volume] or [
        path for name, path in names if name.rsplit('/', 1)[-1] == volume
    ]
    if not found:
        raise FileNotFoundError(
            f'{source}: expected the volume {volume}.nii.gz of the label '
            f'maps {volume}_slice_K.png, found none'
        )
    if len(found) > 1:
        raise ValueError(f'{found[0]} and {found[1]} have the same name')
    return found[0]


def _fill(
    places: NDArray[np.uint8],
    volume: str,
    slices: Mapping[int, Path],
    source: Path,
) -> None:
    """Write the label maps of a volume's slices to their voxels."""
    wanted = range(len(places))
    missing = sorted(set(wanted) - set(slices))
    other = sorted(set(slices) - set(wanted))
    if missing or other:
        got = f'none of {missing}' if missing else f'also {other}'
        raise ValueError(
            f'volume {volume!r}: expected slices 0 to {wanted[-1]}, as '
            f'{source} has along this axis, got {got}'
        )
    for number, path in slices.items():
        values = load_png_index(path)
        if values.dtype != np.uint8:
            raise FormatError(path, '', 'expected 8 bits, got 16')
        if values.shape != places[number].shape:
            raise FormatError(
                path, '',
                'expected rows and columns of a slice of '
                f'{source} along this axis, {places[number].shape}, got '
                f'{values.shape}',
            )  # fmt: skip
        places[number] = values
