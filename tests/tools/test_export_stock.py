"""The exported model is plain mmseg's and predicts the same."""

import copy
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.apis import inference_model, init_model
from mmseg.registry import MODELS
from PIL import Image

from mmseg_sparse.datasets import CamVidDataset
from mmseg_sparse.engine.export import stock_checkpoint, stock_config
from tests.helpers import tiny, tools

#: Calls the tool.
Export = Callable[..., tools.Done]

#: Plain mmseg where mmseg_sparse cannot be imported.
CLEAN = """
import sys, types

class Blocker:
    def find_spec(self, name, *args):
        if name.partition('.')[0] == 'mmseg_sparse':
            raise ImportError(f'{name} is blocked')

sys.meta_path.insert(0, Blocker())
try:
    import mmcv.ops
except ImportError:  # mmcv-lite, with which mmseg alone cannot be imported
    class Operators(types.ModuleType):
        def __getattr__(self, name):
            if name.startswith('__'):
                raise AttributeError(name)
            return type(name, (), {})
    sys.modules['mmcv.ops'] = Operators('mmcv.ops')

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmseg.apis import inference_model, init_model

config, checkpoint, image, out = sys.argv[1:]
model = init_model(config, checkpoint, device='cpu')
result = inference_model(model, image)
cfg = Config.fromfile(config)
cfg.update(work_dir=out + '.test', load_from=checkpoint)
metrics = Runner.from_cfg(cfg).test()
assert not any(name.startswith('mmseg_sparse') for name in sys.modules)
torch.save(
    dict(
        logits=result.seg_logits.data,
        labels=result.pred_sem_seg.data,
        meta=model.dataset_meta,
        model=type(model).__name__,
        miou=float(metrics['mIoU']),
    ),
    out,
)
"""


def camvid_config(root: Path) -> dict:
    cfg = tiny.config(root)
    cfg['model']['decode_head']['num_classes'] = 11
    for name in ('train_dataloader', 'val_dataloader'):
        dataset = cfg[name]['dataset']
        dataset['type'] = 'CamVidDataset'
        del dataset['metainfo']
    cfg['test_dataloader'] = copy.deepcopy(cfg['val_dataloader'])
    cfg['test_evaluator'] = copy.deepcopy(cfg['val_evaluator'])
    cfg['test_cfg'] = dict(type='TestLoop')
    cfg['test_pipeline'] = [
        dict(type='LoadImageFromFile'),
        dict(type='PackSegInputs'),
    ]
    cfg['train_cfg'].update(max_iters=2, val_interval=2)
    cfg['model']['backbone']['init_cfg'] = None
    return cfg


@pytest.fixture(scope='module')
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained model: ``config.py`` and ``iter_2.pth``."""
    root = tmp_path_factory.mktemp('export')
    tiny.write_images(root / 'data')
    cfg = camvid_config(root / 'data')
    tiny.train(cfg, root / 'run')
    Config(cfg).dump(str(root / 'run' / 'config.py'))
    return root / 'run'


@pytest.fixture
def export(tmp_path: Path) -> Export:
    return partial(tools.call, 'export_stock', cwd=tmp_path)


def test_plain_mmseg_predicts_the_same(run: Path, tmp_path: Path) -> None:
    out = tmp_path / 'new' / 'stock'
    tools.run(
        'export_stock', run / 'config.py', run / 'iter_2.pth', out,
        cwd=tmp_path,
    )  # fmt: skip
    image = next((run.parent / 'data' / 'images' / 'val').iterdir())
    environment = dict(
        os.environ, OMP_NUM_THREADS=str(torch.get_num_threads())
    )
    environment.pop('PYTHONPATH', None)
    subprocess.run(
        [sys.executable, '-c', CLEAN]
        + [str(out / 'config.py'), str(out / 'checkpoint.pth')]
        + [str(image), str(tmp_path / 'result.pth')],
        check=True,
        cwd=tmp_path,
        env=environment,
        timeout=600,
    )
    result = torch.load(tmp_path / 'result.pth', weights_only=True)

    ours = init_model(
        str(run / 'config.py'), str(run / 'iter_2.pth'), device='cpu'
    )
    assert type(ours).__name__ == 'SparseEncoderDecoder'
    expected = inference_model(ours, str(image))
    assert torch.equal(expected.seg_logits.data, result['logits'])
    assert torch.equal(expected.pred_sem_seg.data, result['labels'])
    assert result['model'] == 'EncoderDecoder'
    meta = CamVidDataset.METAINFO
    assert result['meta']['classes'] == list(meta['classes'])
    assert result['meta']['palette'] == meta['palette']
    assert result['miou'] >= 0


def test_files_hold_what_predicting_needs(
    run: Path, tmp_path: Path, export: Export
) -> None:
    export(run / 'config.py', run / 'iter_2.pth', tmp_path)
    assert 'mmseg_sparse' not in (tmp_path / 'config.py').read_text()
    cfg = Config.fromfile(tmp_path / 'config.py')
    for key in ('train_dataloader', 'optim_wrapper', 'custom_imports'):
        assert key not in cfg
    assert 'regularizers' not in cfg.model
    dataset = cfg.test_dataloader.dataset
    assert dataset.type == 'BaseSegDataset'
    assert dataset.img_suffix == '.jpg'
    content = torch.load(tmp_path / 'checkpoint.pth', weights_only=True)
    assert content.keys() == {'meta', 'state_dict'}
    stock = MODELS.build(cfg.model).state_dict()
    assert content['state_dict'].keys() == stock.keys()


def test_nothing_is_overwritten_unasked(
    run: Path, tmp_path: Path, export: Export
) -> None:
    kept = tmp_path / 'checkpoint.pth'
    kept.write_text('mine')
    inputs = run / 'config.py', run / 'iter_2.pth'
    done = export(*inputs, tmp_path, check=False)
    assert done.returncode == 1
    assert done.stderr.count('\n') == 1
    assert f'{str(kept)!r} exists: --overwrite replaces it' in done.stderr
    assert kept.read_text() == 'mine'
    assert not (tmp_path / 'config.py').exists()
    export(*inputs, tmp_path, '--overwrite')
    assert torch.load(kept, weights_only=True)['state_dict']


def test_errors_are_one_line_and_leave_nothing(
    run: Path, tmp_path: Path, export: Export
) -> None:
    broken = tmp_path / 'broken.pth'
    broken.write_bytes((run / 'iter_2.pth').read_bytes()[:5000])
    for config, checkpoint, message in (
        (run / 'no.py', run / 'iter_2.pth', 'config not found'),
        (run / 'config.py', run / 'no.pth', 'CHECKPOINT not found'),
        (run / 'config.py', broken, 'cut short or is no checkpoint'),
    ):
        done = export(config, checkpoint, tmp_path / 'out', check=False)
        assert done.returncode == 1
        assert message in done.stderr
        assert not (tmp_path / 'out').exists()


def minimal(model: dict, **changes: Any) -> Config:
    return Config(dict(model=model, default_scope='mmseg', **changes))


def test_cascade_keeps_its_heads() -> None:
    model = tiny.model_config(drop=0.0)
    common = dict(
        in_channels=16,
        in_index=3,
        channels=8,
        num_classes=3,
        norm_cfg=dict(type='BN'),
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    )
    model['decode_head'] = [
        dict(type='FCNHead', num_convs=1, concat_input=False, **common),
        dict(type='OCRHead', ocr_channels=8, **common),
    ]
    cfg = minimal(model)
    ours = MODELS.build(copy.deepcopy(cfg.model)).eval()
    meta = dict(dataset_meta=dict(classes=tiny.CLASSES, palette=tiny.PALETTE))
    stock, _ = stock_config(cfg)
    assert stock.model.type == 'CascadeEncoderDecoder'
    content = stock_checkpoint(
        cfg, stock, dict(state_dict=ours.state_dict(), meta=meta)
    )
    plain = MODELS.build(stock.model).eval()
    plain.load_state_dict(content['state_dict'])
    images = torch.rand(2, 3, tiny.SIZE, tiny.SIZE)
    with torch.no_grad():
        expected = ours(images, mode='tensor')
        assert torch.equal(plain(images, mode='tensor'), expected)


@pytest.mark.parametrize('who', ['teacher', 'student'])
def test_who_predicts_is_exported(who: str) -> None:
    model = tiny.model_config(drop=0.0)
    model.update(
        type='MeanTeacherEncoderDecoder', mix=0.5, predict_with=who,
        label_refiner=dict(type='PixelAdaptiveRefinement'),
    )  # fmt: skip
    cfg = minimal(model)
    ours = MODELS.build(copy.deepcopy(cfg.model)).eval()
    ours.teacher.steps.fill_(1)  # trained, and not the student's weights
    meta = dict(dataset_meta=dict(classes=tiny.CLASSES, palette=tiny.PALETTE))
    stock, notes = stock_config(cfg)
    assert notes == []
    assert stock.model.type == 'EncoderDecoder'
    content = stock_checkpoint(
        cfg, stock, dict(state_dict=ours.state_dict(), meta=meta)
    )
    plain = MODELS.build(stock.model).eval()
    plain.load_state_dict(content['state_dict'])
    images = torch.rand(2, 3, tiny.SIZE, tiny.SIZE)
    with torch.no_grad():
        expected = ours(images, mode='tensor')
        torch.testing.assert_close(plain(images, mode='tensor'), expected)
        ours.predict_with = 'student' if who == 'teacher' else 'teacher'
        other = ours(images, mode='tensor')
        assert (other - expected).abs().max() > 0.01


def test_what_only_trains_is_dropped() -> None:
    model = tiny.model_config()
    model['backbone']['init_cfg'] = dict(type='Pretrained', checkpoint='x')
    model['refiner'] = None
    # A loss of ours in a head, and a head of ours beside it.
    model['decode_head']['loss_decode'] = dict(type='AttentionAffinityLoss')
    model['auxiliary_head'] = [dict(type='SparseEncoderDecoder')]
    hooks = dict(
        checkpoint=dict(type='ResumableCheckpointHook', interval=3),
        timer=dict(type='IterTimerHook'),
    )
    imports = dict(imports=['mmseg_sparse', 'mine'])
    cfg = minimal(model, default_hooks=hooks, custom_imports=imports)
    before = copy.deepcopy(cfg.to_dict())
    stock, notes = stock_config(cfg)
    assert cfg.to_dict() == before
    assert notes == []
    assert 'init_cfg' not in stock.model.backbone
    assert 'auxiliary_head' not in stock.model
    assert 'refiner' not in stock.model
    assert stock.model.decode_head.loss_decode.type == 'CrossEntropyLoss'
    assert stock.default_hooks.checkpoint.type == 'CheckpointHook'
    assert stock.default_hooks.checkpoint.interval == 3
    assert stock.custom_imports.imports == ['mine']


def test_inherited_scope_is_dropped() -> None:
    model = tiny.model_config()
    model['_scope_'] = model['backbone']['_scope_'] = 'mmseg_sparse'
    model['type'] = 'mmseg_sparse.SparseEncoderDecoder'
    model['decode_head']['_scope_'] = 'mmseg'
    stock, _ = stock_config(minimal(model))
    assert stock.model.type == 'EncoderDecoder'
    assert '_scope_' not in stock.model
    assert '_scope_' not in stock.model.backbone
    assert stock.model.decode_head['_scope_'] == 'mmseg'


def test_what_stock_cannot_express_is_refused() -> None:
    model = tiny.model_config()
    # Any class of ours will do for a refiner.
    model['refiner'] = dict(type='AttentionAffinityLoss')
    message = 'model.refiner is AttentionAffinityLoss, which predictions'
    with pytest.raises(ValueError, match=message):
        stock_config(minimal(model))
    pipeline = [dict(type='CamVidDataset')]
    with pytest.raises(ValueError, match=r'test_pipeline\[0\] is CamVid'):
        stock_config(minimal(tiny.model_config(), test_pipeline=pipeline))


def test_foreign_checkpoints_are_refused() -> None:
    cfg = minimal(tiny.model_config())
    stock, _ = stock_config(cfg)
    state = MODELS.build(copy.deepcopy(cfg.model)).state_dict()
    meta = dict(dataset_meta=dict(classes=tiny.CLASSES))
    key = 'decode_head.conv_seg.bias'
    for change, message in (
        ({key: torch.zeros(7)}, r'conv_seg.bias has shape \(7,\)'),
        ({'neck.w': torch.zeros(1)}, 'its neck.w is not part'),
    ):
        other = dict(state_dict={**state, **change}, meta=meta)
        with pytest.raises(ValueError, match=message):
            stock_checkpoint(cfg, stock, other)
    lacking = {k: v for k, v in state.items() if k != key}
    with pytest.raises(ValueError, match=f'it lacks {key}'):
        stock_checkpoint(cfg, stock, dict(state_dict=lacking, meta=meta))
    with pytest.raises(ValueError, match='what the classes are'):
        stock_checkpoint(cfg, stock, dict(state_dict=state))


def test_dataset_reads_the_same_images(tmp_path: Path) -> None:
    """Suffixes that a dataset of ours implies are spelled out."""
    from mmseg.registry import DATASETS

    toy = DATASETS.get('ToyShapesDataset')
    for kind in ('images', 'masks'):
        (tmp_path / kind).mkdir()
        image = Image.fromarray(np.zeros((4, 4), np.uint8))
        image.save(tmp_path / kind / 'a.png')
    dataset = dict(
        type='ToyShapesDataset',
        data_root=str(tmp_path),
        data_prefix=dict(img_path='images', seg_map_path='masks'),
        pipeline=[],
    )
    stock, notes = stock_config(
        minimal(
            tiny.model_config(),
            test_dataloader=dict(dataset=dataset),
            test_evaluator=dict(type='IoUMetric'),
            test_cfg=dict(type='TestLoop'),
        )
    )
    assert notes == []
    plain = DATASETS.build(stock.test_dataloader.dataset)
    ours = DATASETS.build(dataset)
    assert type(plain).__name__ == 'BaseSegDataset'
    assert list(plain.metainfo['classes']) == list(toy.METAINFO['classes'])
    assert plain.get_data_info(0) == ours.get_data_info(0)
    assert len(plain) == len(ours) == 1


def test_special_datasets_and_metrics_are_left_out_with_a_note() -> None:
    split = dict(
        dataloader=dict(
            dataset=dict(type='CamVidDataset', pipeline=[], special=1)
        ),
        evaluator=dict(type='IoUMetric'),
        cfg=dict(type='TestLoop'),
    )
    changes = {f'test_{key}': value for key, value in split.items()}
    stock, notes = stock_config(minimal(tiny.model_config(), **changes))
    assert not any(key.startswith('test_') for key in stock)
    assert notes == [
        'test_dataloader is left out: stock mmseg cannot read CamVidDataset'
    ]


def test_metrics_become_those_of_mmseg() -> None:
    ours = [
        dict(type='ClassIoUMetric', iou_metrics=['mIoU', 'mDice']),
        dict(type='BoundaryIoUMetric'),
    ]
    split = dict(
        test_dataloader=dict(dataset=dict(type='CamVidDataset', pipeline=[])),
        test_cfg=dict(type='TestLoop'),
    )
    model = tiny.model_config()
    stock, notes = stock_config(minimal(model, **split, test_evaluator=ours))
    assert stock.test_evaluator.to_dict() == dict(
        type='IoUMetric', iou_metrics=['mIoU', 'mDice']
    )
    assert notes == [
        'test_evaluator is without BoundaryIoUMetric, which is ours'
    ]
    stock, notes = stock_config(
        minimal(model, **split, test_evaluator=ours[1:])
    )
    assert 'test_evaluator' not in stock
    assert notes == [
        'test_dataloader is left out: test_evaluator[0] is BoundaryIoUMetric'
    ]
