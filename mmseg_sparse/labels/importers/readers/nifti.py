"""Reader of label volumes in NIfTI files: an image for each slice."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ....utils.untrusted import OnError, refuse
from ...volumes import (
    load_slices,
    volume_files,
    volume_name,
    whole_numbers,
)
from ..annotation import ImageAnnotation
from .index_png import value_regions
from .shared import each_file, within_memory


def read(
    source: Path,
    *,
    axis: str = 'axial',
    ignore_index: int = 255,
    suffix: str = '',
    on_error: OnError = refuse,
) -> Iterator[ImageAnnotation]:
    """Read volumes of class indices, slice by slice.

    Labels are the decimal strings of the values, ``'0'`` with them. The
    slices are those that ``slice_volumes`` makes of the volume of intensities:
    ``a.nii.gz`` gives ``a_slice_0``, ``a_slice_1``, ... with the axes in the
    directions of the patient, whatever the order in the file. Needs nibabel.

    Args:
        source: A ``.nii`` or ``.nii.gz`` file, or a folder of them, folders
            within included.
        axis: ``axial``, ``coronal`` or ``sagittal``.
        ignore_index: The value of voxels without a label.
        suffix: What the name of a file has behind that of its volume:
            ``_gt`` where ``a_gt.nii.gz`` is of ``a.nii.gz``. Files of a
            folder that do not end so are ignored.
        on_error: Called with what is wrong with a file;
            where it returns, that is left out.

    Yields:
        Every slice, with the spacing of its volume, in the order of the paths.

    Raises:
        FormatError: If a file is broken, is no volume of whole numbers from 0
            to 65535, or has more than 256 values in a slice.
        ModuleNotFoundError: If nibabel is not installed.
        OSError: If a file cannot be read.
    """
    yield from each_file(
        volume_files(source, suffix),
        lambda path: slice_annotations(
            path, volume_name(path, source, suffix), axis, ignore_index
        ),
        on_error,
    )


def slice_annotations(
    path: Path, name: str, axis: str, ignore_index: int
) -> Iterator[ImageAnnotation]:
    """Yield the slices of a volume of labels.

    Args:
        path: The NIfTI file.
        name: Of the volume.
        axis: As in :func:`read`.
        ignore_index: As in :func:`read`.
    """
    volume = load_slices(path, axis)
    labels = whole_numbers(volume.slices, path)
    for number, values in enumerate(labels):
        height, width = values.shape
        entry = f'slice {number}'
        shapes = (
            replace(shape, entry=f'{entry}, {shape.entry}')
            for shape in value_regions(values, path, ignore_index)
        )
        yield ImageAnnotation(
            image=f'{name}_slice_{number}',
            source=str(path),
            size=(width, height),
            shapes=tuple(within_memory(shapes, path, entry)),
            spacing=volume.spacing,
        )
