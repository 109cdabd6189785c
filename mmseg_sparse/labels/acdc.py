"""ACDC's files as slices with human scribbles.

Reads the preprocessed HDF5 files of Luo et al. (MICCAI 2022), or the
challenge's NIfTI files (Bernard et al., TMI 2018) with the scribbles of
Valvano et al. (TMI 2021).
"""

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..utils.atomic import built_beside
from .label_map import NO_LABEL, distinct_palette, save_index_png
from .volumes import grey, load_nifti, whole_numbers

CLASSES = 4
#: What the public scribbles have where there is no label.
UNLABELLED = 4
PERCENTILE = 99
HDF5 = re.compile(r'(patient(\d+)_frame\d+)(?:_slice_(\d+))?\.(?:h5|hdf5)')
NIFTI = re.compile(r'(patient(\d+)_frame\d+)\.nii(?:\.gz)?')


@dataclass(frozen=True, eq=False)
class Slices:
    """Consecutive slices of a volume.

    Attributes:
        volume: Name of the volume, ``patientNNN_frameMM``.
        first: Number of the first of these slices.
        image: ``(D, H, W)``, any numbers.
        mask: ``(D, H, W)``, class indices.
        scribble: As ``mask``, and ``UNLABELLED``; None if not asked for.
        spacing: Millimetres between slices, rows and columns, where known.
    """

    volume: str
    first: int
    image: NDArray[np.floating[Any]]
    mask: NDArray[np.uint8]
    scribble: NDArray[np.uint8] | None
    spacing: tuple[float, ...] | None = None


def convert_acdc(
    source: Path,
    out: Path,
    *,
    train: Collection[int],
    val: Collection[int],
    scribbles: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, int]:
    """Write images, masks and scribbles of slices to a new folder.

    Args:
        source: Folder of the HDF5 or NIfTI files.
        out: Folder to make; it is written completely or not at all.
        train: Numbers of the patients for training.
        val: Numbers of the patients for validation.
        scribbles: Folder of the scribbles of NIfTI files, by default
            ``source``.
        progress: Called with (files done, files in all).

    Returns:
        The number of slices of each split.

    Raises:
        FileExistsError: If ``out`` is not empty.
        FileNotFoundError: If a split or a needed file is missing.
        ModuleNotFoundError: If h5py or nibabel is needed and not installed.
        ValueError: If a patient is in both splits, or a file cannot be read.
    """
    both = sorted(set(train) & set(val))
    if both:
        raise ValueError(
            f'expected patients for training or validation, got {both[0]} '
            'for both'
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(
            f'{out} exists: name another folder or remove it'
        )
    splits = dict.fromkeys(val, 'val') | dict.fromkeys(train, 'train')
    files = find_files(source, splits)
    counts = dict.fromkeys(('train', 'val'), 0)
    spacing = {}
    with built_beside(out) as making:
        for done, (path, split) in enumerate(files.items(), 1):
            part = read(path, split == 'train', scribbles or source)
            write(part, making, split)
            counts[split] += len(part.image)
            if part.spacing:
                spacing[part.volume] = part.spacing
            if progress is not None:
                progress(done, len(files))
        if spacing:
            text = json.dumps(spacing, indent=1)
            (making / 'spacing.json').write_text(text + '\n', 'utf-8')
    return counts


def find_files(source: Path, splits: Mapping[int, str]) -> dict[Path, str]:
    """Return the files of images with their splits, in order of their names.

    Where a volume has a file of its own, the files of its slices are left
    alone.

    Raises:
        FileNotFoundError: If a split has none.
    """
    found = {}
    for path in sorted(source.rglob('patient*')):
        match = HDF5.fullmatch(path.name) or NIFTI.fullmatch(path.name)
        if match and int(match[2]) in splits:
            found[path] = match
    whole = {m[1] for m in found.values() if m.re is NIFTI or not m[3]}
    files = {
        path: splits[int(match[2])]
        for path, match in found.items()
        if match[1] not in whole or match.re is NIFTI or not match[3]
    }
    for split in set(splits.values()) - set(files.values()):
        raise FileNotFoundError(
            f'{source}: expected patientNNN_frameMM[_slice_K].h5 or '
            f'patientNNN_frameMM.nii.gz of the patients for {split}, found '
            'none'
        )
    return files


def read(path: Path, labelled: bool, scribbles: Path) -> Slices:
    """Read one file, and its scribbles if ``labelled``, and check them.

    Raises:
        ModuleNotFoundError: If the library that reads it is not installed.
        FileNotFoundError: If a file that belongs to it is missing.
        ValueError: If it cannot be read or does not hold what it should.
    """
    if match := HDF5.fullmatch(path.name):
        part = read_hdf5(path, match, labelled)
    else:
        part = read_nifti(path, labelled, scribbles)
    for name, values, limit in (
        ('label', part.mask, CLASSES - 1),
        ('scribble', part.scribble, UNLABELLED),
    ):
        if values is None:
            continue
        if values.shape != part.image.shape:
            raise ValueError(
                f'{path}: expected a {name} of the size of the image, '
                f'{part.image.shape}, got {values.shape}'
            )
        if values.max() > limit:
            raise ValueError(
                f'{path}: expected values 0 to {limit} in its {name}, got '
                f'{values.max()}'
            )
    return part


def read_hdf5(path: Path, match: re.Match[str], labelled: bool) -> Slices:
    """Read a slice or a volume of Luo et al."""
    import h5py

    keys = ('image', 'label', 'scribble')[: 3 if labelled else 2]
    try:
        with h5py.File(path, 'r') as file:
            arrays = [np.asarray(file[key]) for key in keys]
    except Exception as error:  # h5py raises many types
        raise ValueError(
            f'{path}: expected an HDF5 file with {", ".join(keys)}: {error}'
        ) from error
    ndim = 2 if match[3] else 3
    for key, values in zip(keys, arrays, strict=True):
        if values.ndim != ndim:
            raise ValueError(
                f'{path}: expected {key} of {ndim} dimensions, got '
                f'{values.shape}'
            )
    if match[3]:
        arrays = [values[None] for values in arrays]
    image, mask, *scribble = arrays
    return Slices(
        match[1],
        int(match[3] or 0),
        image,
        indices(mask, path),
        indices(scribble[0], path) if labelled else None,
    )


def read_nifti(path: Path, labelled: bool, scribbles: Path) -> Slices:
    """Read a volume of the challenge, its mask and its scribbles."""
    name, ending = re.split(r'(?=\.nii)', path.name)
    image, spacing = load_nifti(path)
    mask_path = path.with_name(f'{name}_gt{ending}')
    mask = indices(load_nifti(mask_path)[0], mask_path)
    scribble = None
    if labelled:
        (found, *_) = [
            *sorted(scribbles.rglob(f'{name}_scribble.nii*')),
            path.with_name(f'{name}_scribble{ending}'),
        ]
        scribble = indices(load_nifti(found)[0], found)
    image = np.minimum(image, np.percentile(image, PERCENTILE))
    return Slices(name, 0, image, mask, scribble, spacing)


def indices(values: NDArray[Any], path: Path) -> NDArray[np.uint8]:
    """Return labels as class indices."""
    return whole_numbers(values, path, NO_LABEL).astype(np.uint8)


def write(part: Slices, out: Path, split: str) -> None:
    """Write the PNGs of some slices."""
    palette = distinct_palette(CLASSES)
    folder = out / 'images' / split
    folder.mkdir(parents=True, exist_ok=True)
    for index, image in enumerate(part.image):
        name = f'{part.volume}_slice_{part.first + index}.png'
        Image.fromarray(grey(image)).save(folder / name)
        save_index_png(out / 'masks' / split / name, part.mask[index], palette)
        if part.scribble is not None:
            labels = part.scribble[index].copy()
            labels[labels == UNLABELLED] = NO_LABEL
            save_index_png(out / 'scribbles' / split / name, labels, palette)
