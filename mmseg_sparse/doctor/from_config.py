"""The label files of a config's data set."""

import inspect
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from mmseg.datasets import BaseCDDataset, BaseSegDataset
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import DATASETS, TRANSFORMS

from ..datasets.sparse_seg import SparseSegDataset
from ..datasets.transforms import LoadSparseAnnotations
from ..labels.image_finder import SUFFIXES
from ..utils.untrusted import one_line
from .from_folder import existing, find_beside, kind_of
from .inputs import LabelItem, LabelSet, Reading

_KIND_IN_NAME = re.compile(r'-(dense|scribble|point|block|tag)(-|$)')


def from_config(
    cfg: Mapping[str, Any],
    split: str = 'train',
    *,
    title: str = '',
    dense: str | None = None,
    ignore_index: int | None = None,
    validation: bool = False,
) -> LabelSet:
    """Return what a config's data set reads.

    The data set is built as for training, but without its pipeline, so that
    no file is loaded.

    Args:
        cfg: The config.
        split: ``train``, ``val`` or ``test``.
        title: Name of the config.
        dense: Folder of dense masks with the names of the label files; None:
            the one beside the labels, if there is one; '': no masks.
        ignore_index: A value that means "no label", besides 255; None: that
            of the data set, or of the decode head.
        validation: Whether to add the validation set to the training set, to
            compare the two.

    Raises:
        ValueError: If the config has no such data set, or one that cannot be
            examined.
    """
    loader = cfg.get(f'{split}_dataloader')
    if loader is None or loader.get('dataset') is None:
        raise ValueError(f'the config has no {split}_dataloader.dataset')
    given = ignore_index
    if ignore_index is None:
        head = (cfg.get('model') or {}).get('decode_head') or {}
        head = head[-1] if isinstance(head, (list, tuple)) else head
        ignore_index = head.get('ignore_index', 255)
    match = _KIND_IN_NAME.search(title)
    announced = match.group(1) if match and split == 'train' else None
    whole = _joined(
        [
            _leaf(leaf, split, announced, dense, ignore_index)
            for leaf in _leaves(loader['dataset'])
        ]
    )
    whole.title, whole.split, whole.from_config = title, split, True
    model = cfg.get('model') or {}
    whole.regularized = bool(model.get('regularizers'))
    if validation and split == 'train':
        whole.validation = _validation(cfg, given, whole.classes)
    return whole


def _joined(parts: Sequence[LabelSet]) -> LabelSet:
    """Return several data sets as one.

    Raises:
        ValueError: If their classes differ.
    """
    whole = parts[0]
    for part in parts[1:]:
        if part.classes != whole.classes:
            raise ValueError(
                'the joined data sets have different classes: '
                f'{", ".join(whole.classes)}; and {", ".join(part.classes)}'
            )
        whole.items += part.items
        whole.strays += part.strays
        whole.twice += part.twice
        whole.unused += part.unused
        whole.refused += part.refused
        whole.dense = whole.dense or part.dense
    return whole


def _validation(
    cfg: Mapping[str, Any], ignore_index: int | None, classes: tuple[str, ...]
) -> LabelSet | None:
    """Return the validation set, if it can be compared with the training's."""
    try:
        found = from_config(cfg, 'val', dense='', ignore_index=ignore_index)
    except ValueError:
        return None
    return found if found.items and found.classes == classes else None


def _leaves(dataset: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the data sets inside of wrappers such as ``ConcatDataset``."""
    inner = dataset.get('datasets') or [dataset.get('dataset')]
    if inner == [None]:
        yield dict(dataset)
        return
    for one in inner:
        yield from _leaves(one)


def _leaf(
    settings: dict[str, Any],
    split: str,
    announced: str | None,
    dense: str | None,
    ignore_index: int,
) -> LabelSet:
    loader, loader_class = _loader(settings.get('pipeline') or ())
    try:
        dataset = _build(settings)
        infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    except Exception as error:  # the data set may be the user's own
        return LabelSet('', [], refused=[one_line(error)])
    meta = dataset.metainfo
    classes = tuple(meta.get('classes') or ())
    palette = tuple(tuple(c) for c in meta.get('palette') or ())
    shared = dict(
        num_classes=len(classes) or None,
        palette=palette,
        backend=loader.get('imdecode_backend') or 'pillow',
    )
    paths = [info.get('seg_map_path') for info in infos]
    masks = _dense_masks(dataset, paths, dense)
    sparse = dataset if isinstance(dataset, SparseSegDataset) else None
    items = []
    for info, labels in zip(infos, paths, strict=True):
        hot = info.get('gt_label')
        kind = info.get('supervision') or announced
        kind = kind or ('dense' if split != 'train' else kind_of(labels))
        items.append(LabelItem(
            labels=labels,
            image=info.get('img_path'),
            reading=_reading(info, ignore_index, shared),
            dense=masks.get(labels) if labels else None,
            dense_reading=_reading(vars(dataset), ignore_index, shared),
            supervision=kind,
            tags=() if hot is None or sparse is None else tuple(
                np.array(sparse.tag_space.indices)[np.flatnonzero(hot)]
                .tolist()
            ),
        ))  # fmt: skip
    return LabelSet(
        '', items, classes, palette,
        strays=_strays(dataset, paths),
        twice=_twice(infos),
        unused=_unused(dataset, infos),
        refused=_contradictions(loader, loader_class, dataset),
        dense=', '.join(sorted({os.path.dirname(m) for m in masks.values()}))
        or None,
    )  # fmt: skip


def _build(settings: dict[str, Any]) -> BaseSegDataset:
    """Build a data set that does not load anything."""
    settings = {**settings, 'pipeline': []}
    kind = settings.get('type')
    kind = DATASETS.get(kind) if isinstance(kind, str) else kind
    if isinstance(kind, type) and issubclass(kind, SparseSegDataset):
        settings['check_files'] = False  # missing files are findings
    if isinstance(kind, type) and issubclass(kind, BaseSegDataset):
        parameters = inspect.signature(kind).parameters
        if {'kwargs', 'serialize_data'} & set(parameters):
            settings['serialize_data'] = False  # that takes a second
    dataset = DATASETS.build(settings)
    dataset.full_init()
    if not isinstance(dataset, BaseSegDataset | BaseCDDataset):
        raise ValueError(
            f'expected a BaseSegDataset, got a {type(dataset).__name__}'
        )
    backend = dataset.backend_args
    if backend and backend.get('backend', 'local') != 'local':
        raise ValueError(f'expected local files, got backend_args={backend}')
    return dataset


def _loader(
    pipeline: Sequence[Any],
) -> tuple[Mapping[str, Any], type[LoadAnnotations] | None]:
    """Return the step that loads labels and its class, if there is one."""
    for step in pipeline:
        kind = step.get('type') if isinstance(step, Mapping) else None
        kind = TRANSFORMS.get(kind) if isinstance(kind, str) else kind
        if isinstance(kind, type) and issubclass(kind, LoadAnnotations):
            return step, kind
    return {}, None


def _reading(
    info: Mapping[str, Any], ignore_index: int, shared: Mapping[str, Any]
) -> Reading:
    numbers = info.get('label_map')
    own = info.get('ignore_index', 255)
    return _cached_reading(
        reduce_zero_label=bool(info.get('reduce_zero_label')),
        label_map=None if numbers is None else tuple(sorted(numbers.items())),
        ignore_index=ignore_index if own == 255 else own,
        **shared,
    )


_cached_reading = cache(Reading)


def _dense_masks(
    dataset: BaseSegDataset, paths: Sequence[str | None], dense: str | None
) -> dict[str, str]:
    """Return the dense mask of each label file, where there should be one."""
    if dense == '':
        return {}
    prefix = dataset.data_prefix
    roots = {
        os.path.normpath(folder)
        for key, folder in prefix.items()
        if key != 'img_path' and folder
    }
    folders: dict[str, str | None] = {}
    masks = {}
    for path in paths:
        if path is None:
            continue
        above = [str(p) for p in Path(path).parents if str(p) in roots]
        root = above[0] if above else os.path.dirname(path)
        if root not in folders:
            folders[root] = dense or _dense_folder(root, prefix.get('dense'))
        folder = folders[root]
        if folder is not None:
            masks[path] = os.path.join(folder, os.path.relpath(path, root))
    return masks if dense else existing(masks)


def _dense_folder(root: str, own: str | None) -> str | None:
    """Return the masks that labels in a folder can be compared with."""
    if kind_of(root) == 'dense' or (own and os.path.normpath(own) == root):
        return None
    if own:
        return own
    beside = find_beside(Path(root), 'dense')
    return None if beside is None else str(beside)


def _strays(dataset: BaseSegDataset, paths: Sequence[str | None]) -> list[str]:
    """Return label files without image, where a whole folder is the data."""
    if dataset.ann_file or dataset.filter_cfg or dataset._indices is not None:
        return []
    known = {os.path.normpath(path) for path in paths if path is not None}
    folder = dataset.data_prefix.get('seg_map_path')
    if not known or not folder or not os.path.isdir(folder):
        return []
    files = sorted(Path(folder).rglob(f'*{dataset.seg_map_suffix}'))
    return [str(path) for path in files
            if os.path.normpath(path) not in known]  # fmt: skip


def _twice(infos: Sequence[Mapping[str, Any]]) -> list[str]:
    count = Counter(info.get('img_path') for info in infos)
    return [path for path, number in count.items() if path and number > 1]


def _unused(
    dataset: BaseSegDataset, infos: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Return images of other suffixes, where a whole folder is the data."""
    folder = dataset.data_prefix.get('img_path')
    if dataset.ann_file or dataset.filter_cfg or dataset._indices is not None:
        return []
    labels = {f for key, f in dataset.data_prefix.items() if key != 'img_path'}
    if not folder or folder in labels:
        return []
    taken = {os.path.splitext(info['img_path'])[0] for info in infos}
    return sorted(
        path
        for where, _, names in os.walk(folder)
        for path in (os.path.join(where, name) for name in names)
        if os.path.splitext(path)[1].lower() in SUFFIXES
        and os.path.splitext(path)[0] not in taken
    )


def _contradictions(
    loader: Mapping[str, Any],
    loader_class: type[LoadAnnotations] | None,
    dataset: BaseSegDataset,
) -> list[str]:
    """Return what the loader will not accept from this data set."""
    texts = []
    reduce = loader.get('reduce_zero_label')
    own = bool(dataset.reduce_zero_label)
    if reduce is not None and bool(reduce) != own:
        texts.append(
            f'reduce_zero_label is {reduce} in the transform that loads '
            f'labels and {own} in the dataset: set it only in the dataset'
        )
    stock = loader_class and not issubclass(
        loader_class, LoadSparseAnnotations
    )
    if stock and isinstance(dataset, SparseSegDataset):
        reason = dataset.beyond_stock()
        if reason:
            texts.append(
                f'{reason}: the pipeline needs '
                "dict(type='LoadSparseAnnotations') instead of LoadAnnotations"
            )
    return texts
