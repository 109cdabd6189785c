"""A tiny data set in good health, for tests that make it sick."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from mmseg_sparse.doctor import (
    Examination,
    Finding,
    diagnose,
    examine,
    from_config,
    from_folder,
)

CLASSES = ('sky', 'tree', 'road')
PALETTE = ((10, 20, 30), (200, 0, 0), (0, 180, 60))
NAMES = ('a', 'b', 'c', 'd')
SIZE = (16, 12)  # width, height


def strokes(index: int) -> np.ndarray:
    """Three strokes of four pixels each; no two images have the same."""
    labels = np.full((SIZE[1], SIZE[0]), 255, np.uint8)
    for value in range(3):
        labels[4 * value + index % 4, index : index + 4] = value
    return labels


def save(path: Path, labels: Any, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(labels)).save(path, **options)
    return path


def healthy(root: Path) -> Path:
    """Write ``images`` and ``scribbles`` with four images; return root."""
    rng = np.random.default_rng(0)
    for index, name in enumerate(NAMES):
        noise = rng.integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
        (root / 'images').mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(root / 'images' / f'{name}.jpg'), noise)
        save(root / 'scribbles' / f'{name}.png', strokes(index))
    return root


def change(root: Path, edit: Callable[[np.ndarray], Any]) -> None:
    """Write every label map again as ``edit`` returns it."""
    for path in sorted((root / 'scribbles').glob('*.png')):
        save(path, edit(np.array(Image.open(path))))


def look(root: Path, **options: Any) -> Examination:
    """Examine ``scribbles`` as a folder."""
    options = dict(classes=CLASSES, palette=PALETTE) | options
    return examine(from_folder(root / 'scribbles', **options))


def findings(root: Path, **options: Any) -> dict[str, Finding]:
    found = diagnose(look(root, **options))
    assert len({f.code for f in found}) == len(found)
    assert all(f.mend for f in found)
    return {f.code: f for f in found}


def config(
    root: Path, loader: dict[str, Any] | None = None, **dataset: Any
) -> dict[str, Any]:
    """Return a config that reads the data set by mmseg's own class."""
    loader = loader or dict(type='LoadAnnotations')
    return dict(
        train_dataloader=dict(
            dataset=dict(
                type='BaseSegDataset',
                metainfo=dict(classes=CLASSES, palette=list(PALETTE)),
                data_root=str(root),
                data_prefix=dict(img_path='images', seg_map_path='scribbles'),
                pipeline=[dict(type='LoadImageFromFile'), loader],
            )
            | dataset
        )
    )


def config_findings(
    cfg: dict[str, Any], split: str = 'train', **options: Any
) -> dict[str, Finding]:
    found = diagnose(examine(from_config(cfg, split, **options)))
    assert all(f.mend for f in found)
    return {f.code: f for f in found}


def one(found: dict[str, Any], code: str) -> Any:
    assert set(found) == {code}
    assert found[code].mend
    return found[code]


def as_zero(labels: np.ndarray) -> np.ndarray:
    """Strokes of a tool that counts classes from 1, 0 = no label."""
    return np.where(labels == 255, 0, labels + 1).astype(np.uint8)


def square() -> np.ndarray:
    """A square of 5 x 5 in class 1, off the middle of a 7 x 11 image."""
    dense = np.zeros((7, 11), np.uint8)
    dense[1:6, 5:10] = 1
    return dense
