"""From a config and checkpoint of ours to ones of plain mmseg.

A sparse model predicts by stock layers: what this package adds trains them.
The functions here take the additions out of a config and a checkpoint.
"""

import copy
import inspect
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, HOOKS, MODELS

from mmseg_sparse.registry import SCOPE, class_of

from ..models.segmentors import (
    DualBranchEncoderDecoder,
    MeanTeacherEncoderDecoder,
    SparseEncoderDecoder,
)
from ..utils.config_tree import inner_datasets
from .export_data import is_ours, make_stock_dataset, plain_meta, stock_steps
from .hooks import ResumableCheckpointHook

#: What a config needs to test and to predict, beside val_* and test_*.
KEPT = (
    'custom_imports', 'default_scope', 'default_hooks', 'env_cfg',
    'log_level', 'log_processor', 'vis_backends', 'visualizer',
    'data_preprocessor', 'model', 'tta_model', 'tta_pipeline',
    'test_pipeline',
)  # fmt: skip
SPLIT_KEYS = ('dataloader', 'cfg', 'evaluator')
#: Meta of a checkpoint that says where it comes from.
KEPT_META = ('epoch', 'iter', 'seed', 'time', 'experiment_name')


def stock_config(cfg: Config) -> tuple[Config, list[str]]:
    """Return the config that plain mmseg tests and predicts with.

    Training settings are left out, ``SparseEncoderDecoder`` becomes the
    stock segmentor without regularizers, ``DualBranchEncoderDecoder`` that of
    its strong branch, ``MeanTeacherEncoderDecoder`` that of the teacher or
    student, whichever predicts, our datasets become ``BaseSegDataset`` with
    their classes and palette.

    Args:
        cfg: A whole config; stays as it is.

    Returns:
        The config, and a sentence for each thing left out on the way that a
        user might miss.

    Raises:
        ValueError: If predictions depend on something that stock mmseg does
            not have, such as a refiner of ours.
    """
    source = _without_our_scope(cfg.to_dict())
    kept = {key: source[key] for key in KEPT if source.get(key) is not None}
    notes: list[str] = []
    kept['model'] = _stock_model(source['model'])
    for key in ('test_pipeline', 'tta_pipeline'):
        stock_steps(kept.get(key))
    for split in ('val', 'test'):
        group = _stock_split(source, split, notes)
        kept.update(group)
    for key in ('test_pipeline', 'tta_pipeline'):
        _refuse_ours(kept.get(key), key)
    if any(True for _ in find_ours(kept.get('tta_model'))):
        notes.append('tta_model is ours: no test-time augmentation')
        del kept['tta_model']
        kept.pop('tta_pipeline', None)
    if any(True for _ in find_ours(kept.get('visualizer'))):
        kept['visualizer']['type'] = 'SegLocalVisualizer'
    _take_out_imports(kept)
    _take_out_hooks(kept)
    _refuse_ours(kept, 'config')
    return Config(kept), notes


def stock_checkpoint(
    cfg: Config, stock: Config, checkpoint: dict[str, Any]
) -> dict[str, Any]:
    """Return the checkpoint of the stock model, with classes and palette.

    Args:
        cfg: The config of the training.
        stock: What :func:`stock_config` made of it.
        checkpoint: What the training saved.

    Raises:
        ValueError: If the checkpoint is not one of a model of this config,
            or nothing says what its classes are.
    """
    init_default_scope('mmseg')
    model = MODELS.build(copy.deepcopy(stock.model))
    wanted = model.state_dict()
    given = _predicting(cfg, checkpoint.get('state_dict', checkpoint))
    for key, value in wanted.items():
        shape = tuple(value.shape)
        if key not in given:
            raise ValueError(
                f'the checkpoint does not fit the config: it lacks {key}'
            )
        if tuple(given[key].shape) != shape:
            raise ValueError(
                f'the checkpoint does not fit the config: {key} has shape '
                f'{tuple(given[key].shape)}, the model has {shape}'
            )
    for key in given:
        if key not in wanted and not _for_training_only(key):
            raise ValueError(
                f'the checkpoint does not fit the config: its {key} is not '
                'part of the model'
            )
    meta = checkpoint.get('meta', {})
    kept = {key: meta[key] for key in KEPT_META if key in meta}
    kept['dataset_meta'] = classes_and_palette(meta, cfg)
    kept['cfg'] = stock.pretty_text
    return {
        'meta': kept,
        'state_dict': {key: given[key].clone() for key in wanted},
    }


def _predicting(cfg: Config, given: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of the teacher where it is what predicts."""
    if class_of(cfg.model.type, MODELS) is not MeanTeacherEncoderDecoder:
        return given
    teacher = 'teacher.module.'
    if cfg.model.get('predict_with', 'teacher') == 'teacher':
        return {
            key.removeprefix(teacher): value
            for key, value in given.items()
            if key.startswith(teacher)
        }
    return {
        key: value
        for key, value in given.items()
        if not key.startswith('teacher')
    }


def find_ours(node: Any, path: str = '') -> Iterator[tuple[str, str]]:
    """Yield path and type of everything of ours in a config."""
    if isinstance(node, dict):
        if is_ours(node.get('type')):
            yield path, str(node['type'])
        for key, value in node.items():
            yield from find_ours(value, f'{path}.{key}' if path else key)
    elif isinstance(node, list | tuple):
        for index, value in enumerate(node):
            yield from find_ours(value, f'{path}[{index}]')


def _refuse_ours(node: Any, path: str) -> None:
    for where, name in find_ours(node, path):
        raise ValueError(
            f'{where} is {name}, which predictions depend on and stock mmseg '
            'does not have: this model cannot be exported'
        )


def _without_our_scope(node: Any) -> Any:
    """Copy a config without the marks of ``mmseg_sparse::`` inheritance."""
    if isinstance(node, dict):
        copied = {
            key: _without_our_scope(value)
            for key, value in node.items()
            if not (key == '_scope_' and value == SCOPE)
        }
        if isinstance(copied.get('type'), str):
            copied['type'] = copied['type'].removeprefix(f'{SCOPE}.')
        return copied
    if isinstance(node, list | tuple):
        return type(node)(_without_our_scope(value) for value in node)
    return node


def _stock_model(model: dict[str, Any]) -> dict[str, Any]:
    model = copy.deepcopy(model)
    segmentor = class_of(model['type'], MODELS)
    if segmentor is DualBranchEncoderDecoder:
        segmentor = SparseEncoderDecoder
        for key in ('weak_head', 'weak_loss_weight', 'strong_supervisions'):
            model.pop(key, None)
    if segmentor is MeanTeacherEncoderDecoder:
        segmentor = SparseEncoderDecoder
        for key in inspect.signature(MeanTeacherEncoderDecoder).parameters:
            model.pop(key, None)
    if segmentor is SparseEncoderDecoder:
        model.pop('num_stages', None)
        model['type'] = 'EncoderDecoder'
        if isinstance(model['decode_head'], list | tuple):
            model['type'] = 'CascadeEncoderDecoder'
            model['num_stages'] = len(model['decode_head'])
        model.pop('regularizers', None)
    if model.get('refiner', True) is None:
        del model['refiner']
    # Stock segmentors use auxiliary heads in training only.
    if any(True for _ in find_ours(_heads_only(model.get('auxiliary_head')))):
        del model['auxiliary_head']
    _stock_losses(model)
    _without_pretraining(model)
    _refuse_ours(model, 'model')
    return model


def _heads_only(heads: Any) -> Any:
    """Return the types of the heads, not what is inside them."""
    if isinstance(heads, dict):
        return {'type': heads.get('type')}
    return [_heads_only(head) for head in heads or ()]


def _stock_losses(node: Any) -> None:
    """Replace losses of ours in heads, which do not take part in testing."""
    if isinstance(node, dict):
        if any(True for _ in find_ours(node.get('loss_decode'))):
            node['loss_decode'] = {'type': 'CrossEntropyLoss'}
        for value in node.values():
            _stock_losses(value)
    elif isinstance(node, list | tuple):
        for value in node:
            _stock_losses(value)


def _without_pretraining(node: Any) -> None:
    """Drop the files a training started from; the checkpoint has it all."""
    if isinstance(node, dict):
        node.pop('pretrained', None)
        init = node.get('init_cfg')
        if isinstance(init, dict) and init.get('type') == 'Pretrained':
            del node['init_cfg']
        for value in node.values():
            _without_pretraining(value)
    elif isinstance(node, list | tuple):
        for value in node:
            _without_pretraining(value)


def _stock_split(
    source: dict[str, Any], split: str, notes: list[str]
) -> dict[str, Any]:
    """Return loader, loop and metric of a split, nothing if they are ours."""
    keys = [f'{split}_{key}' for key in SPLIT_KEYS]
    group = {key: source[key] for key in keys if source.get(key) is not None}
    if len(group) < len(keys):
        return {}
    group = copy.deepcopy(group)
    loader, _, evaluator = keys
    group[evaluator] = _stock_metrics(group[evaluator], evaluator, notes)
    for dataset in inner_datasets(group[loader].get('dataset')):
        stock_steps(dataset.get('pipeline'))
        _refuse_ours(dataset.get('pipeline'), f'{loader}.dataset.pipeline')
        if is_ours(dataset['type']):
            reason = make_stock_dataset(dataset)
            if reason:
                notes.append(f'{loader} is left out: {reason}')
                return {}
    for where, name in find_ours(group):
        notes.append(f'{loader} is left out: {where} is {name}')
        return {}
    return group


def _stock_metrics(metrics: Any, key: str, notes: list[str]) -> Any:
    """Return the metrics without ours, where others are left."""
    listed = metrics if isinstance(metrics, list | tuple) else [metrics]
    for metric in listed:
        if metric['type'] == 'ClassIoUMetric':
            metric['type'] = 'IoUMetric'  # with the same arguments
    stock = [metric for metric in listed if not is_ours(metric['type'])]
    if not stock:
        return metrics
    notes += [
        f'{key} is without {metric["type"]}, which is ours'
        for metric in listed
        if metric not in stock
    ]
    return stock if len(stock) > 1 else stock[0]


def _take_out_imports(kept: dict[str, Any]) -> None:
    imports = kept.get('custom_imports')
    if imports is None:
        return
    names = imports['imports']
    names = [names] if isinstance(names, str) else list(names)
    names = [name for name in names if name.partition('.')[0] != SCOPE]
    if names:
        imports['imports'] = names
    else:
        del kept['custom_imports']


def _take_out_hooks(kept: dict[str, Any]) -> None:
    for key, hook in list(kept.get('default_hooks', {}).items()):
        if hook is None:
            continue
        if class_of(hook.get('type'), HOOKS) is ResumableCheckpointHook:
            hook['type'] = 'CheckpointHook'
        elif is_ours(hook.get('type')):
            del kept['default_hooks'][key]


def _for_training_only(key: str) -> bool:
    heads = ('regularizers.', 'auxiliary_head.', 'weak_head.')
    return key.startswith(heads) or '.loss_decode.' in key


def classes_and_palette(meta: dict[str, Any], cfg: Config) -> dict[str, Any]:
    """Return the classes and colours of a checkpoint, or of its config.

    Raises:
        ValueError: If neither says what the classes are.
    """
    found = meta.get('dataset_meta') or {}
    if 'classes' not in found:
        for key in ('test_dataloader', 'val_dataloader', 'train_dataloader'):
            for dataset in inner_datasets((cfg.get(key) or {}).get('dataset')):
                cls = class_of(dataset['type'], DATASETS)
                found = {}
                if cls is not None and issubclass(cls, BaseDataset):
                    found.update(cls.METAINFO)
                found.update(dataset.get('metainfo') or {})
                if 'classes' in found:
                    return plain_meta(found)
        raise ValueError(
            'neither the checkpoint (meta.dataset_meta) nor the datasets of '
            'the config say what the classes are'
        )
    return plain_meta(found)
