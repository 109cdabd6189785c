"""Datasets and pipelines of ours in the words of plain mmseg."""

import inspect
from typing import Any

from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS

from mmseg_sparse.datasets.sparse_seg import SparseSegDataset
from mmseg_sparse.labels.image_list import suffixes_of
from mmseg_sparse.registry import CHILDREN, SCOPE, class_of

#: The stock step in place of one of ours, and the arguments it does not have.
#: Label maps that ours takes without an error look the same to both.
STOCK_STEPS = {
    'LoadSparseAnnotations': (
        'LoadAnnotations', ('with_tags', 'num_classes', 'background'),
    ),
    'PackSparseInputs': (
        'PackSegInputs', ('num_classes', 'background', 'ignore_index'),
    ),
}  # fmt: skip


def is_ours(name: Any) -> bool:
    """Tell whether a ``type`` is of this package and of no other.

    A stock name under which we register a class too, ``'CheckpointHook'``,
    is not ours: plain mmseg has its own.
    """
    if isinstance(name, type):
        return name.__module__.partition('.')[0] == SCOPE
    return any(
        name in child.module_dict
        and name not in child.parent.parent.module_dict
        for child in CHILDREN.values()
    )


def stock_steps(node: Any) -> None:
    """Replace what loads and packs samples in a pipeline, in place."""
    if isinstance(node, dict):
        kind = node.get('type')
        name = kind.__name__ if isinstance(kind, type) else kind
        if is_ours(kind) and name in STOCK_STEPS:
            node['type'], ours = STOCK_STEPS[name]
            for key in ours:
                node.pop(key, None)
        for value in node.values():
            stock_steps(value)
    elif isinstance(node, list | tuple):
        for value in node:
            stock_steps(value)


def make_stock_dataset(dataset: dict[str, Any]) -> str | None:
    """Turn the config of a dataset of ours into one of ``BaseSegDataset``.

    Returns:
        None, or a clause that says why stock mmseg cannot read this dataset.
    """
    cls = class_of(dataset['type'], DATASETS)
    if issubclass(cls, SparseSegDataset):
        return _dense_dataset(dataset, cls)
    stock = inspect.signature(BaseSegDataset.__init__).parameters
    methods = [
        key
        for key, value in vars(cls).items()
        if callable(value) and key != '__init__'
    ]
    extra = sorted(set(dataset) - set(stock) - {'type'})
    if methods or extra or cls.__base__ is not BaseSegDataset:
        return f'stock mmseg cannot read {cls.__name__}'
    meta = dict(cls.METAINFO, **dict(dataset.get('metainfo') or {}))
    if list(meta['classes']) != list(cls.METAINFO['classes']):
        return f'its classes are not those of {cls.__name__}'
    for key, parameter in inspect.signature(cls.__init__).parameters.items():
        if key not in stock or parameter.default is inspect.Parameter.empty:
            continue
        if parameter.default != stock[key].default:
            dataset.setdefault(key, parameter.default)
    dataset['type'] = 'BaseSegDataset'
    dataset['metainfo'] = plain_meta(meta)
    return None


def _dense_dataset(
    dataset: dict[str, Any], cls: type[SparseSegDataset]
) -> str | None:
    """Do the same for a ``SparseSegDataset`` of dense masks."""
    given = inspect.signature(cls.__init__).parameters
    plain = dict(
        ann_file='', tag_file=None, label_map=None, filter_cfg=None,
        reduce_zero_label=False, ignore_index=255,
    )  # fmt: skip
    for key, value in plain.items():
        default = given[key].default if key in given else value
        if dataset.get(key, default) != value:
            return f'{cls.__name__} with {key} is not for stock mmseg'
    if len(suffixes_of(dataset.get('img_suffix', '.jpg'))) > 1:
        return f'{cls.__name__} with several img_suffix is not for stock mmseg'
    if dataset.get('supervision') != 'dense':
        return f'{cls.__name__} with sparse labels is not for stock mmseg'
    meta = {**cls.METAINFO, **dict(dataset.get('metainfo') or {})}
    meta.update(
        {k: dataset[k] for k in ('classes', 'palette') if dataset.get(k)}
    )
    classes = meta.get('classes')
    if not classes or isinstance(classes, str):
        return f'{cls.__name__} names no classes but in a file'
    if list(classes) != list(cls.METAINFO.get('classes', classes)):
        return f'its classes are not those of {cls.__name__}'
    folders = dict(dataset.get('data_prefix') or {})
    masks = folders.get('dense', folders.get('seg_map_path', ''))
    dataset['data_prefix'] = dict(
        img_path=folders.get('img_path', ''), seg_map_path=masks
    )
    for key in ('img_suffix', 'seg_map_suffix'):
        if key in given:
            dataset.setdefault(key, given[key].default)
    for key in (*plain, 'classes', 'palette', 'supervision', 'background',
                'check_files'):  # fmt: skip
        dataset.pop(key, None)
    dataset['type'] = 'BaseSegDataset'
    dataset['metainfo'] = plain_meta(meta)
    return None


def plain_meta(meta: dict[str, Any]) -> dict[str, Any]:
    """Return class names and colours in types that a config file holds."""
    plain: dict[str, Any] = {
        'classes': [str(name) for name in meta['classes']]
    }
    if meta.get('palette') is not None:
        plain['palette'] = [
            [int(value) for value in colour] for colour in meta['palette']
        ]
    return plain
