"""Reader of a data set of nnU-Net: ``dataset.json`` and folders of labels."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from msgspec import Raw, Struct

from ....utils.untrusted import (
    FormatError,
    OnError,
    decode_json,
    load_json,
    refuse,
    shown,
)
from ...label_map import load_png_index
from ..annotation import ImageAnnotation
from .index_png import pixel_annotation
from .label_images import load_tiff_index
from .nifti import slice_annotations
from .shared import NULL, class_name, each_file, parse_int, source_files

DATASET = 'dataset.json'
#: The name of the label of voxels without a label.
IGNORE = 'ignore'
#: A number that no file has: every voxel has a label.
NO_IGNORE = -1
_VOLUMES = ('.nii', '.nii.gz')
_PICTURES = ('.png', '.tif', '.tiff')


def read(
    source: Path,
    *,
    axis: str = 'axial',
    channel: int = 0,
    labels: str = 'labelsTr',
    on_error: OnError = refuse,
) -> Iterator[ImageAnnotation]:
    """Read the label files of an nnU-Net data set, with their class names.

    The names are those of ``labels`` in ``dataset.json``, also in the older
    form {"1": "name"} of nnU-Net 1 and the Medical Segmentation Decathlon.
    What has the label ``ignore`` is without a label. Volumes (NIfTI, needs
    nibabel) are read slice by slice, ``CASE_slice_K``, as ``slice_volumes``
    cuts them; a PNG or TIFF is one image, ``CASE_0000``.

    Args:
        source: The folder of the data set, or its ``dataset.json``.
        axis: Of volumes: ``axial``, ``coronal`` or ``sagittal``.
        channel: Of PNG and TIFF: the number of the image's file.
        labels: The folder of the label files.
        on_error: Called with what is wrong with a label file;
            where it returns, that is left out.

    Yields:
        Every image or slice that has a label file, in the order of their
        names.

    Raises:
        FormatError: If a file is malformed, ``labels`` has regions that
            overlap, or a label file has a number that ``labels`` does not
            name.
        ModuleNotFoundError: If nibabel is needed and not installed.
        OSError: If a file cannot be read.
    """
    path, content = _dataset(source)
    names = _names(content.labels, path)
    ending = content.file_ending
    if ending.lower() not in _VOLUMES + _PICTURES:
        raise FormatError(
            path, 'file_ending',
            f'expected one of {", ".join(_VOLUMES + _PICTURES)}, got '
            f'{shown(ending)}; convert the files to .nii.gz',
        )  # fmt: skip
    unlabeled = next((v for v, n in names.items() if n == IGNORE), NO_IGNORE)

    def one(file: Path) -> Iterator[ImageAnnotation]:
        case = file.name[: -len(ending)]
        if ending.lower() in _VOLUMES:
            found = slice_annotations(file, case, axis, unlabeled)
        else:
            found = iter([_picture(file, f'{case}_{channel:04d}', unlabeled)])
        for annotation in found:
            yield _named(annotation, names, path)

    yield from each_file(
        _cases(path, content, path.parent / labels), one, on_error
    )


def class_list(source: Path) -> list[str]:
    """Return the names of the classes, in the order of their numbers.

    Raises:
        FormatError, OSError: As :func:`read`.
    """
    path, content = _dataset(source)
    names = sorted(_names(content.labels, path).items())
    return [name for _, name in names if name != IGNORE]


class _Dataset(Struct):
    labels: dict[str, Raw]
    file_ending: str = '.nii.gz'
    dataset: Raw = NULL


def _dataset(source: Path) -> tuple[Path, _Dataset]:
    path = source / DATASET if source.is_dir() else source
    return path, load_json(path, _Dataset)


def _names(labels: Mapping[str, Raw], path: Path) -> dict[int, str]:
    """Return the class names by their numbers."""
    names: dict[int, str] = {}
    for key, item in labels.items():
        entry = f'labels[{shown(key)}]'
        value: int | list[int] | str = decode_json(
            item, int | list[int] | str, path, entry
        )
        if isinstance(value, str):
            name, value = value, parse_int(key, path, entry)
        else:
            name = key
        if isinstance(value, list):
            if len(value) != 1:
                raise FormatError(
                    path, entry,
                    f'expected one number, got {shown(value)}: regions that '
                    'overlap are not supported; name each number instead, '
                    'such as "edema": 1',
                )  # fmt: skip
            value = value[0]
        if value in names:
            raise FormatError(
                path, entry,
                f'{value} is the number of {shown(names[value])} already',
            )  # fmt: skip
        names[value] = class_name(name, path, entry)
    return names


def _cases(path: Path, content: _Dataset, folder: Path) -> list[Path]:
    """Return the label files."""
    if content.dataset != NULL:
        raise FormatError(
            path, 'dataset',
            'paths of single cases are not supported; put the label files '
            f'into {folder}',
        )  # fmt: skip
    if not folder.is_dir():
        raise FormatError(
            path, '',
            f'no folder {folder}; name it by --option labels=FOLDER',
        )  # fmt: skip
    ending = content.file_ending
    before, dot, suffix = ending.rpartition('.')
    try:
        return source_files(folder, [dot + suffix.lower()], ending=before)
    except FormatError as error:
        raise FormatError(path, 'file_ending', str(error)) from error


def _picture(path: Path, name: str, unlabeled: int) -> ImageAnnotation:
    tiff = path.suffix.lower() != '.png'
    labels = load_tiff_index(path) if tiff else load_png_index(path)
    found = pixel_annotation(labels, path, path, unlabeled=unlabeled)
    return replace(found, image=f'{name}{path.suffix}')


def _named(
    annotation: ImageAnnotation, names: Mapping[int, str], path: Path
) -> ImageAnnotation:
    """Put names in the place of numbers."""
    for shape in annotation.shapes:
        if int(shape.label) not in names:
            raise FormatError(
                annotation.source, shape.entry,
                f'{shape.label} is not in the labels of {path}: '
                f'{shown(names)}',
            )  # fmt: skip
    shapes = (
        replace(shape, label=names[int(shape.label)])
        for shape in annotation.shapes
    )
    return replace(annotation, shapes=tuple(shapes), files=(str(path),))
