"""A toy data set, made in seconds: textured shapes with strokes to learn from.

It needs no download and is small enough to train on in minutes without a
GPU. The class of a shape is its texture; colours and outlines are random.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...utils.atomic import built_beside
from ..exporters import centre_lines, write_annotations
from ..label_map import save_index_png
from . import image_rng, simulate_scribbles
from .toy_scene import TEXTURES, SceneStyle, render

#: Counted up whenever the same arguments give other pixels.
VERSION = 3
STAMP = 'toy_shapes.json'
#: The strokes as CVAT exports them.
ANNOTATIONS = 'strokes.xml'
CLASSES = ('background', *TEXTURES)
PALETTE = [
    [165, 165, 165], [230, 80, 60], [250, 200, 60], [90, 200, 90],
    [60, 170, 230], [150, 90, 220], [240, 130, 200],
]  # fmt: skip
SCRIBBLES: dict[str, Any] = dict(
    thickness=2, length=(0.3, 0.6), min_area=30, small_area=80,
    small_drop=0.4,
)  # fmt: skip


def make_toy_dataset(
    out: str | Path,
    *,
    num_train: int = 200,
    num_val: int = 100,
    seed: int = 0,
    style: SceneStyle | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> bool:
    """Make the data set in ``out``, or keep what is there and current.

    Writes ``images/{train,val}``, ``masks/{train,val}``, ``scribbles/train``
    and the centre lines of the strokes in the format of CVAT, ``strokes.xml``.
    The folder appears whole or not at all.

    Args:
        out: The folder to make; replaced if it holds an outdated toy data
            set, and only then.
        num_train: Number of training images.
        num_val: Number of validation images.
        seed: Other seeds give other images and strokes.
        style: How scenes look.
        progress: Called with (images done, images in all).

    Returns:
        Whether images were made; False if ``out`` was current.

    Raises:
        ValueError: If a number is not positive.
        FileExistsError: If ``out`` holds anything but a toy data set.
    """
    for name, number in (('num_train', num_train), ('num_val', num_val)):
        if number < 1:
            raise ValueError(f'{name} must be at least 1, got {number}')
    style = style or SceneStyle()
    out = Path(out)
    stamp = _stamp(num_train=num_train, num_val=num_val, seed=seed,
                   style=style)  # fmt: skip
    if _read_stamp(out) == stamp and (out / ANNOTATIONS).is_file():
        return False
    with built_beside(out) as making:
        names = [('train', i) for i in range(num_train)]
        names += [('val', i) for i in range(num_val)]
        drawn = []
        for done, (split, number) in enumerate(names, 1):
            strokes = _write_sample(making, split, number, seed, style)
            if split == 'train':
                name = f'{sample_name(split, number)}.png'
                drawn.append(centre_lines(strokes, CLASSES, name))
            if progress is not None:
                progress(done, len(names))
        (content,) = write_annotations('cvat', drawn, CLASSES).values()
        (making / ANNOTATIONS).write_bytes(content)
        (making / STAMP).write_text(json.dumps(stamp, indent=1) + '\n')
    return True


def toy_sample(
    split: str, number: int, *, seed: int = 0, style: SceneStyle | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Return image (RGB), dense mask and strokes of one sample."""
    name = sample_name(split, number)
    image, labels = render(image_rng(seed, name), style or SceneStyle())
    strokes = simulate_scribbles(labels, seed=seed, image_id=name, **SCRIBBLES)
    return image, labels, strokes


def sample_name(split: str, number: int) -> str:
    """Return the file name of a sample, without its suffix."""
    return f'{split}_{number:04d}'


def save_labels(path: Path, labels: NDArray[np.uint8]) -> None:
    """Write a label map as an index PNG that viewers show in colour."""
    save_index_png(path, labels, PALETTE)


def _write_sample(
    folder: Path, split: str, number: int, seed: int, style: SceneStyle
) -> NDArray[np.uint8]:
    """Write image and labels; return the strokes."""
    image, labels, strokes = toy_sample(split, number, seed=seed, style=style)
    name = f'{sample_name(split, number)}.png'
    path = folder / 'images' / split / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), image[..., ::-1]):
        raise OSError(f'could not write {path}')
    save_labels(folder / 'masks' / split / name, labels)
    if split == 'train':
        save_labels(folder / 'scribbles' / split / name, strokes)
    return strokes


def _stamp(**arguments: Any) -> dict[str, Any]:
    style = {k: list(v) if isinstance(v, tuple) else v
             for k, v in vars(arguments.pop('style')).items()}  # fmt: skip
    return {'version': VERSION, **arguments, 'style': style}


def _read_stamp(out: Path) -> dict[str, Any] | None:
    """Return what ``out`` was made with; None if it is not there.

    Raises:
        FileExistsError: If ``out`` is something else than a toy data set.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    try:
        stamp: dict[str, Any] = json.loads((out / STAMP).read_text())
    except (OSError, ValueError) as error:
        raise FileExistsError(
            f'{out} exists and is not a toy data set (it has no readable '
            f'{STAMP}): name another folder or remove this one'
        ) from error
    return stamp
