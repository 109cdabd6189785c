"""IoU of labels and heat maps in files, by hand."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmseg_sparse.labels.heatmap_file import write_heatmaps
from mmseg_sparse.pseudo_labels.quality import (
    SCORES,
    heatmap_miou,
    iou_areas,
    label_miou,
    mean_iou,
)


def test_miou_by_hand(tmp_path: Path) -> None:
    mask = np.array([[0, 0, 1], [1, 2, 255]], np.uint8)
    found = np.array([[0, 1, 1], [255, 2, 0]], np.uint8)
    # classes: 1 of 2 pixels, 1 of 1 + 1 + 1, 1 of 1; 3 is nowhere
    assert mean_iou(iou_areas(found, mask, 4)) == pytest.approx(
        100 * (1 / 2 + 1 / 3 + 1) / 3
    )
    for folder, labels in (('masks', mask), ('labels', found)):
        (tmp_path / folder).mkdir()
        Image.fromarray(labels).save(tmp_path / folder / 'a.png')
    assert label_miou(tmp_path / 'labels', tmp_path / 'masks', ['a'], 4) == (
        pytest.approx(100 * (1 / 2 + 1 / 3 + 1) / 3)
    )
    maps = np.array([[[0.1, 0.2, 0.9], [0.7, 0.1, 0]],
                     [[0.0, 0.1, 0.3], [0.2, 0.3, 0]]])  # fmt: skip
    write_heatmaps(tmp_path / 'a.npz', maps, [1, 2], num_classes=4)
    best, score = heatmap_miou(
        tmp_path, tmp_path / 'masks', ['a'], 4, background=0
    )
    assert (best, score) == (100.0, 0.2)
    assert score in SCORES
    alone, score = heatmap_miou(tmp_path, tmp_path / 'masks', ['a'], 4)
    assert score is None
    assert alone == pytest.approx(100 * (0 + 2 / 4 + 1) / 3)
    with pytest.raises(ValueError, match='classes 0 to 3, got 4'):
        iou_areas(np.full((2, 3), 4), mask, 4)
    with pytest.raises(ValueError, match=r'size of their mask, \(2, 3\)'):
        iou_areas(found[:1], mask, 4)


def test_nothing_to_count() -> None:
    void = np.full((2, 3), 255, np.uint8)
    assert mean_iou(iou_areas(void, void, 4)) == 0
