"""Settings that contradict each other are said before a training."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmseg.models import CrossEntropyLoss

import mmseg_sparse  # noqa: F401
from mmseg_sparse.doctor import quick_look
from mmseg_sparse.engine import sanity
from tests.helpers import tiny
from tests.helpers.own_data import write_labels

CLASSES = tiny.CLASSES


@pytest.fixture
def cfg(tmp_path: Path) -> dict:
    tiny.write_images(tmp_path)
    return tiny.config(tmp_path)


def all_words(cfg: dict, share: float | None = 0.2) -> list[str]:
    found = quick_look(cfg)
    texts = list(sanity.errors(cfg, CLASSES, found))
    return texts + list(sanity.warnings(cfg, share))


def test_nothing_to_say(cfg: dict) -> None:
    assert all_words(cfg) == []


def test_number_of_classes(cfg: dict) -> None:
    cfg['model']['decode_head']['num_classes'] = 19
    cfg['model']['auxiliary_head'] = [dict(type='FCNHead', num_classes=2)]
    first, second = sanity.errors(cfg, CLASSES, None)
    assert first == (
        'model.decode_head.num_classes is 19, but the training data has 3 '
        'classes (ground, thing, other): set '
        'model.decode_head.num_classes=3, or the classes of the dataset'
    )
    assert second.startswith('model.auxiliary_head.0.num_classes is 2')
    assert list(sanity.errors(cfg, (), None)) == []


def test_division_by_all_pixels(cfg: dict) -> None:
    loss = dict(type='CrossEntropyLoss')
    cfg['model']['decode_head']['loss_decode'] = [dict(type='DiceLoss'), loss]
    (text,) = sanity.warnings(cfg, 0.0417)
    assert 'of which 4.2 % are labelled' in text
    assert '24 times too small' in text
    assert 'set model.decode_head.loss_decode.1.avg_non_ignore=True' in text
    for share in (None, 0.0, 0.9):  # unknown, tags alone, dense
        assert list(sanity.warnings(cfg, share)) == []


def test_class_weights_of_sparse_labels(cfg: dict) -> None:
    loss = cfg['model']['decode_head']['loss_decode']
    loss.update(type='CrossEntropyLoss', class_weight=[1.0, 2.0, 2.0])
    (text,) = sanity.errors(cfg, CLASSES, quick_look(cfg))
    assert text.startswith('model.decode_head.loss_decode.class_weight is set')
    pred, label = torch.zeros(1, 3, 2, 2), torch.tensor([[[0, 1], [2, 255]]])
    with pytest.raises(IndexError, match='index 255'):  # what it spares
        CrossEntropyLoss(class_weight=[1.0, 2.0, 2.0], avg_non_ignore=True)(
            pred, label, ignore_index=255
        )
    loss['reduction'] = 'sum'
    assert list(sanity.errors(cfg, CLASSES, quick_look(cfg))) == []


@pytest.mark.parametrize(
    ('size', 'words'),
    [((64, 96), 'costs time'), ((32, 96), 'would stop the training')],
)
def test_sizes_that_differ(cfg: dict, size: tuple, words: str) -> None:
    cfg['model']['data_preprocessor']['size'] = size
    (text,) = all_words(cfg)
    assert text.startswith('crop_size is (64, 64) and model.data_pre')
    assert words in text
    assert 'set model.data_preprocessor.size=(64, 64)' in text


def test_no_size(cfg: dict) -> None:
    del cfg['model']['data_preprocessor']['size']
    (text,) = all_words(cfg)
    assert 'set model.data_preprocessor.size=(64, 64), the crop_size' in text
    cfg['model']['data_preprocessor']['size_divisor'] = 32
    assert all_words(cfg) == []


@pytest.mark.parametrize(
    ('model', 'pad_val', 'words'),
    [
        ({}, {}, 'in another colour'),
        ({}, dict(pad_val=dict(seg=2)), 'becomes class 2'),
        (dict(regularizers=[dict(type='GatedCRFLoss')]), {}, 'unlabelled'),
        (dict(refiner=dict(type='LocalAggregation')), {}, 'unlabelled'),
        (
            dict(decode_head=[dict(type='FCNHead'), dict(type='BLPHead')]),
            {},
            'unlabelled',
        ),
    ],
)
def test_padding(cfg: dict, model: dict, pad_val: dict, words: str) -> None:
    cfg['model'].pop('regularizers')
    cfg['model'].update(model)
    assert list(sanity.padding(cfg)) == []
    step = dict(type='Pad', size=(64, 64), **pad_val)
    cfg['train_dataloader']['dataset']['pipeline'].insert(3, step)
    (text,) = sanity.padding(cfg)
    assert words in text
    assert 'data_preprocessor.size' in text


def test_nothing_labelled(cfg: dict) -> None:
    root = Path(cfg['train_dataloader']['dataset']['data_root'])
    for path in (root / 'labels/train').glob('*.png'):
        write_labels(path, np.full((80, 96), 255))
    (text,) = all_words(cfg)
    assert text.startswith('nothing is labelled: all pixels of the 7 label')
    write_labels(path, np.full((80, 96), 1))
    assert all_words(cfg) == []
