"""Plain mmseg validates the exported config as ours does."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.apis import inference_model
from mmseg.registry import DATASETS, MODELS

from mmseg_sparse.engine.export import stock_config
from tests.helpers import tiny
from tests.helpers.own_data import write_image, write_labels
from tests.helpers.shipped import CONFIGS, parse

DATA = CONFIGS / '_base_' / 'datasets'


def with_val(cfg: Config) -> Config:
    """The data of a config with a model that can be exported."""
    cfg.model = tiny.model_config()
    cfg.val_cfg = dict(type='ValLoop')
    return cfg


def write_val(root: Path, labels: Any) -> None:
    write_image(root / 'images/val/deep/b.jpg')
    write_labels(root / 'masks/val/deep/b.png', labels)


def test_own_data_are_validated_alike(tmp_path: Path) -> None:
    mask = np.eye(5, 7)
    write_val(tmp_path, mask)
    cfg = with_val(parse(DATA / 'custom_sparse.py'))
    cfg.val_dataloader.dataset.data_root = str(tmp_path)
    stock, notes = stock_config(cfg)
    assert notes == []
    names = {step.type for step in stock.val_dataloader.dataset.pipeline}
    assert names == {'LoadImageFromFile', 'Resize', 'LoadAnnotations',
                     'PackSegInputs'}  # fmt: skip
    plain = DATASETS.build(stock.val_dataloader.dataset)
    assert type(plain).__name__ == 'BaseSegDataset'
    ours = DATASETS.build(cfg.val_dataloader.dataset)
    classes = plain.metainfo['classes']
    assert tuple(classes) == ours.metainfo['classes']
    assert plain.metainfo['palette'] == ours.metainfo['palette']
    assert len(plain) == 1
    ours, plain = ours[0], plain[0]
    assert torch.equal(ours['inputs'], plain['inputs'])
    labels = plain['data_samples'].gt_sem_seg.data
    assert torch.equal(labels[0], torch.from_numpy(mask).long())
    assert torch.equal(ours['data_samples'].gt_sem_seg.data, labels)
    path = plain['data_samples'].seg_map_path
    assert path == str(tmp_path / 'masks/val/deep/b.png')


def test_augmented_testing_is_exported() -> None:
    stock, _ = stock_config(with_val(parse(DATA / 'coco14_tag.py')))
    augment = stock.tta_pipeline[1].transforms
    assert augment[2][0].type == 'LoadAnnotations'
    assert augment[3][0].type == 'PackSegInputs'
    val = stock.val_dataloader.dataset
    assert (val.type, len(val.metainfo.classes)) == ('BaseSegDataset', 81)


def test_arguments_that_stock_lacks_are_dropped() -> None:
    cfg = with_val(parse(DATA / 'custom_sparse.py'))
    cfg.test_pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadSparseAnnotations', with_tags=True, num_classes=2,
             background=0, imdecode_backend='cv2'),
        dict(type='PackSparseInputs', num_classes=2, background=0,
             ignore_index=255, meta_keys=('img_path',)),
    ]  # fmt: skip
    stock, _ = stock_config(cfg)
    assert stock.test_pipeline[1:] == [
        dict(type='LoadAnnotations', imdecode_backend='cv2'),
        dict(type='PackSegInputs', meta_keys=('img_path',)),
    ]


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        (dict(label_map=[0, 1]), 'SparseSegDataset with label_map is not'),
        (dict(ignore_index=7), 'with ignore_index is not for stock'),
        (dict(ann_file='val.txt'), 'with ann_file is not for stock'),
        (dict(supervision='point'), 'with sparse labels is not for stock'),
        (dict(classes='names.txt'), 'names no classes but in a file'),
        (dict(type='SparseCityscapesDataset'), 'with label_map is not for'),
        (dict(type='SparseADE20KDataset'), 'with reduce_zero_label is not'),
        (dict(type='SparseCOCODataset'), 'its classes are not those of'),
    ],
)  # fmt: skip
def test_what_stock_would_misread_is_left_out(
    change: dict[str, Any], reason: str
) -> None:
    cfg = with_val(parse(DATA / 'custom_sparse.py'))
    cfg.val_dataloader.dataset.update(change)
    stock, notes = stock_config(cfg)
    assert 'val_dataloader' not in stock
    assert 'val_dataloader is left out' in notes[0]
    assert reason in notes[0]


def test_mmseg_predicts_by_a_config_that_loads_sparse_labels() -> None:
    cfg = with_val(parse(DATA / 'custom_sparse.py'))
    cfg.test_pipeline[1].scale = (96, 64)
    model = MODELS.build(cfg.model).eval()
    model.cfg = cfg
    picture = np.zeros((16, 24, 3), np.uint8)
    result = inference_model(model, picture)
    assert result.pred_sem_seg.shape == (16, 24)
    assert 'gt_sem_seg' not in result
