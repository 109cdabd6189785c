"""Volumes in NIfTI files, and their slices as pictures.

``load_nifti`` gives the voxels as a file stores them. ``load_slices`` turns
the patient the same way in every file, by the file's affine matrix, so that
images and labels agree even where they are stored in different directions.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..utils.untrusted import (
    MAX_PIXELS,
    MAX_SIDE,
    FormatError,
    reason,
    shown,
)

#: A file of one volume, and the ending that goes with its name.
NIFTI = re.compile(r'(.+?)(\.nii(?:\.gz)?)', re.IGNORECASE)
#: Largest number of a label.
MAX_LABEL = 65535
#: What deflate packs at most into a byte.
_MAX_RATIO = 1032
#: Kinds of voxels: true or false, whole numbers, floats.
_KINDS = 'biuf'
#: Order of a volume's axes (right to left, front to back, feet to head) as
#: slices, rows and columns; and whether rows run from the head down.
_ORDERS = {
    'axial': ((2, 1, 0), False),
    'coronal': ((1, 2, 0), True),
    'sagittal': ((0, 2, 1), True),
}
AXES = tuple(_ORDERS)
#: Of labels also the order of the file, whatever its directions.
LABEL_AXES = (*AXES, 'stored')


@dataclass(frozen=True, eq=False)
class Volume:
    """A volume, cut into slices.

    Attributes:
        slices: ``(D, H, W)``, any numbers.
        spacing: Millimetres between slices, rows and columns, where known.
    """

    slices: NDArray[Any]
    spacing: tuple[float, float, float] | None


def volume_files(source: Path, suffix: str) -> list[Path]:
    """Return ``source`` itself, or the NIfTI files below it.

    Args:
        source: A file, or a folder.
        suffix: What the names of a folder's files end with, before ``.nii``.

    Raises:
        FormatError: If the folder has no such file.
        OSError: If ``source`` is missing.
    """
    source.stat()
    if not source.is_dir():
        return [source]
    found = sorted(
        path
        for path in source.rglob('*')
        if (match := NIFTI.fullmatch(path.name))
        and match[1].endswith(suffix)
        and not path.name.startswith('.')
        and path.is_file()
    )
    if not found:
        raise FormatError(
            source, '', f'no *{suffix}.nii or *{suffix}.nii.gz in the folder'
        )
    return found


def volume_name(path: Path, source: Path, suffix: str) -> str:
    """Return a volume's name, with its folders below ``source``."""
    match = NIFTI.fullmatch(path.name)
    name = match[1] if match else path.name
    name = name.removesuffix(suffix) or name
    folder = path.parent.relative_to(source) if path != source else Path()
    return (folder / name).as_posix()


def load_nifti(path: Path) -> tuple[NDArray[Any], tuple[float, ...]]:
    """Return voxels as (slices, rows, columns), and their spacing.

    Rows and columns are the second and the first index of the file.

    Raises:
        FileNotFoundError: If there is no such file.
        FormatError: If it cannot be read, or is no volume.
        ModuleNotFoundError: If nibabel is not installed.
    """
    voxels, spacing, _ = _load(path, None)
    return voxels.T, tuple(spacing[::-1])


def load_slices(
    path: Path, axis: str = 'axial', channel: int | None = None
) -> Volume:
    """Read a volume in the directions of the patient.

    Axial slices are counted from the feet to the head; their rows run from
    front to back, their columns from the patient's right to the left. Coronal
    slices are counted from front to back, sagittal ones from right to left;
    their rows run from the head down. A volume that lies obliquely is turned
    by multiples of 90 degrees only.

    Args:
        path: A NIfTI file; one of two dimensions is a single axial slice.
        axis: ``axial``, ``coronal`` or ``sagittal``.
        channel: The one of a file of four dimensions that is wanted.

    Raises:
        ValueError: If there is no such axis.
        FileNotFoundError, FormatError, ModuleNotFoundError: As
            :func:`load_nifti`.
    """
    _check_axis(axis, AXES)
    voxels, spacing, affine = _load(path, channel)
    slices = _cut(voxels, affine, axis, path)
    turn = _turn(affine, path)
    steps = np.empty(3)
    steps[turn[:, 0].astype(int)] = spacing
    first, second, third = steps[list(_ORDERS[axis][0])].tolist()
    known = np.isfinite(steps).all() and (steps > 0).all()
    return Volume(slices, (first, second, third) if known else None)


def labels_like(
    path: Path, axis: str = 'axial'
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return labels for every voxel of a file, all 0, and their slices.

    Args:
        path: A NIfTI file, of which only the header is read.
        axis: One of ``AXES``, as of :func:`load_slices`, or ``stored``:
            slices, rows and columns are the third, second and first index of
            the file, as :func:`load_nifti` returns them.

    Returns:
        The voxels as the file stores them, for :func:`save_labels`, and a
        view of them, ``(D, H, W)``, to write to.

    Raises:
        ValueError: If there is no such axis.
        FileNotFoundError, FormatError, ModuleNotFoundError: As
            :func:`load_nifti`.
    """
    _check_axis(axis, LABEL_AXES)
    picture = _open(path)
    shape = (*picture.shape, 1, 1)[:3]
    voxels = np.zeros(shape, np.uint8)
    if axis == 'stored':
        return voxels, voxels.T
    affine = np.asarray(picture.affine, np.float64)
    return voxels, _cut(voxels, affine, axis, path)


def save_labels(voxels: NDArray[np.uint8], path: Path, target: Path) -> None:
    """Write labels as a NIfTI file with affine and header of another one.

    Args:
        voxels: As :func:`labels_like` returns them of ``path``.
        path: The file that they belong to.
        target: The file to write.
    """
    picture = _open(path)
    header = picture.header.copy()
    header.set_data_dtype(voxels.dtype)
    header['cal_min'] = header['cal_max'] = 0  # grey values to show
    type(picture)(voxels, picture.affine, header).to_filename(target)


def _check_axis(axis: str, axes: Sequence[str]) -> None:
    if axis not in axes:
        raise ValueError(
            f'axis must be one of {", ".join(axes)}, got {axis!r}'
        )


def _turn(affine: NDArray[np.float64], path: Path) -> NDArray[np.float64]:
    """Return how to turn voxels: right to left, front to back, feet to head.

    Raises:
        FormatError: If an axis has no direction.
    """
    from nibabel import orientations

    found = np.full((3, 2), np.nan)
    if np.isfinite(affine).all():
        found = orientations.io_orientation(affine)
    if not np.isfinite(found).all():
        raise FormatError(
            path, 'affine',
            'expected a direction of each axis, got '
            f'{shown(affine[:3].tolist())}',
        )  # fmt: skip
    return orientations.ornt_transform(
        found, orientations.axcodes2ornt(('L', 'P', 'S'))
    )


def _cut(
    voxels: NDArray[Any], affine: NDArray[np.float64], axis: str, path: Path
) -> NDArray[Any]:
    """Return a view of voxels as slices, ``(D, H, W)``."""
    from nibabel import orientations

    turned = orientations.apply_orientation(voxels, _turn(affine, path))
    order, downwards = _ORDERS[axis]
    slices = turned.transpose(order)
    return slices[:, ::-1] if downwards else slices


def _open(path: Path) -> Any:
    """Return nibabel's image of a file whose header is checked.

    Raises:
        FileNotFoundError: If there is no such file.
        FormatError: If its header cannot be read, or is not that of voxels.
    """
    import nibabel

    if not path.is_file():
        raise FileNotFoundError(f'{path}: expected this file, found none')
    try:
        kind = nibabel.Nifti1Image
        with nibabel.openers.ImageOpener(str(path)) as file:
            if nibabel.Nifti2Image.header_class.may_contain_header(
                file.read(540)
            ):
                kind = nibabel.Nifti2Image
        picture = kind.from_filename(path)
        _check_shape(picture.shape, picture.get_data_dtype(), path)
    except FormatError:
        raise
    except Exception as error:  # nibabel raises many types
        raise FormatError(
            path, '', f'cannot be read: {reason(error)}'
        ) from error
    return picture


def _load(
    path: Path, channel: int | None
) -> tuple[NDArray[Any], list[float], NDArray[np.float64]]:
    """Return voxels with three axes, their spacing and the affine matrix."""
    picture = _open(path)
    shape, stored = picture.shape, picture.dataobj
    affine = np.asarray(picture.affine, np.float64)
    spacing = [float(step) for step in picture.header.get_zooms()[:3]]
    if channel in range(shape[3] if len(shape) == 4 else 0):
        stored, shape = stored[..., channel], shape[:3]
    try:
        voxels = np.asarray(stored)
    except Exception as error:  # nibabel raises many types
        raise FormatError(
            path, '', f'cannot be read: {reason(error)}'
        ) from error
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) == 2:
        shape, spacing = (*shape, 1), [*spacing, 1.0]
    if len(shape) != 3 or len(spacing) != 3:
        raise FormatError(
            path, 'dim', f'expected a volume of 3 dimensions, got {shape}'
        )
    return voxels.reshape(shape), spacing, affine


def _check_shape(
    shape: Sequence[int], kind: np.dtype[Any], path: Path
) -> None:
    """Raise unless so many voxels may be read from the file."""
    voxels = int(np.prod(shape, dtype=object)) if shape else 0
    if not shape or min(shape) < 1 or max(shape) > MAX_SIDE:
        raise FormatError(
            path, 'dim', f'expected sides of 1 to {MAX_SIDE}, got {shape}'
        )
    if kind.kind not in _KINDS:
        raise FormatError(
            path, 'datatype', f'expected one number a voxel, got {kind}'
        )
    if voxels > MAX_PIXELS:
        raise FormatError(
            path, 'dim', f'{voxels} voxels are more than {MAX_PIXELS}'
        )
    size = path.stat().st_size
    if voxels * kind.itemsize > size * _MAX_RATIO:
        raise FormatError(
            path, 'dim',
            f'cannot be read: {voxels} voxels are not in a file of {size} '
            'bytes',
        )  # fmt: skip


def whole_numbers(
    values: NDArray[Any], path: Path, limit: int = MAX_LABEL
) -> NDArray[np.uint16]:
    """Return labels as whole numbers; some files have them as floats.

    Raises:
        FormatError: If one is not a whole number from 0 to ``limit``.
    """
    low, high = values.min(), values.max()
    if low >= 0 and high <= limit:  # both are False for NaN
        whole: NDArray[np.uint16] = values.astype(np.uint16)
        if values.dtype.kind in 'bui' or np.array_equal(whole, values):
            return whole
    raise FormatError(
        path, '',
        f'expected whole numbers 0 to {limit} as labels, got {values.dtype} '
        f'from {low} to {high}',
    )  # fmt: skip


def grey(
    image: NDArray[Any], low: float | None = None, high: float | None = None
) -> NDArray[np.uint8]:
    """Stretch intensities to 0 to 255.

    Args:
        image: Any numbers.
        low: What becomes 0, like all below it; None = the least value.
        high: What becomes 255, like all above it; None = the greatest value.
    """
    image = image.astype(np.float64)
    low = image.min() if low is None else low
    high = image.max() if high is None else high
    image = np.clip(image, low, high) - low
    return np.rint(255 * image / max(high - low, 1e-12)).astype(np.uint8)
