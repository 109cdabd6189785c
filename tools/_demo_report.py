"""What the demo shows at its end: a table and a sheet of pictures."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

import mmseg_sparse  # noqa: F401  before anything of mmseg

# isort: split
from mmseg.evaluation import IoUMetric

from mmseg_sparse.datasets import ToyShapesDataset
from mmseg_sparse.labels import simulate_scribbles
from mmseg_sparse.labels.simulate.toy import SCRIBBLES
from mmseg_sparse.visualization import (
    colorize,
    draw_strokes,
    enlarge,
    picture_sheet,
)

CLASSES = ToyShapesDataset.METAINFO['classes']
PALETTE = ToyShapesDataset.METAINFO['palette']
#: Pictures are enlarged to about this many pixels.
PICTURE_SIZE = 192


@dataclass(frozen=True)
class Result:
    """Predictions of one method and their scores in per cent."""

    predictions: dict[str, NDArray[np.uint8]]
    miou: float
    aacc: float
    iou: tuple[float, ...]


def read_results(data: Path, runs: Mapping[str, Path]) -> dict[str, Result]:
    """Read each method's predictions of the validation set and score them.

    Args:
        data: The toy data set.
        runs: Name of a method -> folder with its predictions.
    """
    masks = read_folder(data / 'masks' / 'val')
    results = {}
    for name, folder in runs.items():
        predictions = {image: read(folder / image) for image in masks}
        iou, aacc = score(
            np.stack(list(masks.values())),
            np.stack(list(predictions.values())),
            len(CLASSES),
        )
        results[name] = Result(
            predictions, float(np.nanmean(iou)), aacc, tuple(iou.tolist())
        )
    return results


def read_folder(folder: Path) -> dict[str, NDArray[np.uint8]]:
    """Read the label maps of a folder, by file name in order."""
    return {path.name: read(path) for path in sorted(folder.glob('*.png'))}


def read(path: Path) -> NDArray[np.uint8]:
    """Read a label map or an RGB image."""
    with Image.open(path) as picture:
        return np.asarray(picture)


def score(
    masks: NDArray[np.uint8],
    predictions: NDArray[np.uint8],
    num_classes: int,
) -> tuple[NDArray[np.float64], float]:
    """Return each class's IoU (NaN where absent) and aAcc, in per cent."""
    areas = IoUMetric.intersect_and_union(
        torch.from_numpy(predictions), torch.from_numpy(masks), num_classes,
        255,
    )  # fmt: skip
    found = IoUMetric.total_area_to_metrics(*areas, metrics=['mIoU'])
    return 100 * found['IoU'], 100 * float(found['aAcc'])


def table(results: Mapping[str, Result]) -> str:
    """Return the scores as text: a line a method, a column a class."""
    heads = ('val, in per cent', 'mIoU', 'aAcc', *CLASSES)
    widths = [max(17, *map(len, results))]
    widths += [max(6, len(head)) for head in heads[1:]]
    lines = [heads]
    for name, result in results.items():
        values = (result.miou, result.aacc, *result.iou)
        lines.append((name, *(f'{value:.2f}' for value in values)))
    text = [
        '  '.join(
            [line[0].ljust(widths[0])]
            + [
                cell.rjust(width)
                for cell, width in zip(line[1:], widths[1:], strict=True)
            ]
        )
        for line in lines
    ]
    rule = '-' * len(text[0])
    return '\n'.join([text[0], rule, *text[1:]])


def write_sheet(
    path: Path, data: Path, results: Mapping[str, Result], *, rows: int
) -> None:
    """Write the first validation images, a row each, as one picture.

    Validation images have no strokes; those shown are simulated as the
    training strokes were.
    """
    names = sorted(p.name for p in (data / 'images' / 'val').glob('*.png'))
    pictures, captions = [], []
    for name in names[:rows]:
        image = read(data / 'images' / 'val' / name)
        mask = read(data / 'masks' / 'val' / name)
        strokes = simulate_scribbles(
            mask, seed=0, image_id=Path(name).stem, **SCRIBBLES
        )
        row = [image, draw_strokes(image, strokes, PALETTE, widen=0)]
        notes = ['', '']
        for result in results.values():
            prediction = result.predictions[name]
            row.append(colorize(prediction, PALETTE))
            right = 100 * (prediction == mask).mean()
            notes.append(f'{right:.0f} % right')
        row.append(colorize(mask, PALETTE))
        factor = max(1, PICTURE_SIZE // image.shape[0])
        pictures.append([enlarge(picture, factor) for picture in row])
        captions.append([*notes, ''])
    heading = 'Toy shapes, val mIoU: ' + ', '.join(
        f'{name} {result.miou:.1f}' for name, result in results.items()
    )
    sheet = picture_sheet(
        pictures,
        ['image', 'strokes (simulated)', *results, 'mask'],
        heading=heading + ' (both trained on strokes alone)',
        captions=captions,
        classes=CLASSES,
        palette=PALETTE,
    )
    if not cv2.imwrite(str(path), sheet[..., ::-1]):
        raise OSError(f'could not write {path}')
