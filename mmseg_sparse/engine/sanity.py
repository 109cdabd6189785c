"""Settings of a training that contradict each other, said before it starts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmseg.models import CrossEntropyLoss
from mmseg.registry import MODELS

from ..doctor.examine import Examination
from ..models.decode_heads import BLPHead
from ..registry import class_of

#: Labels are sparse if less than this share of the pixels has one.
SPARSE = 0.5
HEADS = ('decode_head', 'auxiliary_head', 'weak_head')


def errors(
    cfg: Mapping[str, Any], classes: Sequence[str], found: Examination | None
) -> Iterator[str]:
    """Yield what makes a training useless, each with its remedy.

    Args:
        cfg: The whole config.
        classes: Names of the classes of the training data; empty: unknown.
        found: What a look at its label files found; None: nobody looked.
    """
    for where, head in _heads(cfg['model']):
        number = head.get('num_classes')
        if classes and number is not None and number != len(classes):
            yield (
                f'model.{where}.num_classes is {number}, but the training '
                f'data has {len(classes)} classes ({_some(classes)}): set '
                f'model.{where}.num_classes={len(classes)}, or the classes '
                'of the dataset'
            )
    size, divisor = _padding(cfg)
    if size is None and divisor is None and _preprocesses(cfg):
        crops = list(_crops(cfg.get('train_dataloader')))
        yield (
            'model.data_preprocessor has neither size nor size_divisor, so '
            'that images cannot be put into one batch: set '
            'model.data_preprocessor.size='
            + (f'{crops[0]}, the crop_size' if crops else '(height, width)')
        )
    if found is not None and 0 < found.labeled_share < 1:
        yield from _weights_without_average(cfg['model'])
    read = [] if found is None else found.usable
    tags = found is not None and any(i.tags for i in found.data.items)
    if read and not tags and not any(one.labeled for one in read):
        yield (
            f'nothing is labelled: all pixels of the {len(read)} label files '
            f'read mean "no label", for instance those of {read[0].item.name}'
            ': see data_prefix, label_map and reduce_zero_label of the '
            'dataset; python -m mmseg_sparse check_labels CONFIG counts the '
            'values'
        )


def warnings(cfg: Mapping[str, Any], share: float | None) -> Iterator[str]:
    """Yield what makes a training worse, each with its remedy.

    Args:
        cfg: The whole config.
        share: Share of the training pixels that have a label; None: unknown.
    """
    if share and share < SPARSE:
        for where, loss in _cross_entropies(cfg['model']):
            if loss.get('avg_non_ignore'):
                continue
            yield (
                f'model.{where} divides by all pixels, of which '
                f'{100 * share:.2g} % are labelled: the loss is '
                f'{1 / share:.0f} times too small; set '
                f'model.{where}.avg_non_ignore=True'
            )
    size, _ = _padding(cfg)
    for crop in _crops(cfg.get('train_dataloader')):
        if size is not None and crop != size:
            yield (
                f'crop_size is {crop} and model.data_preprocessor.size is '
                f'{size}: '
                + ('images would be padded to it, which costs time and memory'
                   if _larger(size, crop) else
                   'an image smaller than the crop would stop the training')
                + f'; set model.data_preprocessor.size={crop}'
            )  # fmt: skip
    yield from padding(cfg)


def padding(cfg: Mapping[str, Any]) -> Iterator[str]:
    """Yield that ``Pad`` is in the training pipeline, if it is.

    What it adds cannot be told from the image afterwards.
    """
    for step in _steps(cfg.get('train_dataloader'), 'Pad'):
        model = cfg['model']
        value = step.get('pad_val', 0)
        value = value.get('seg', 255) if isinstance(value, Mapping) else 255
        effect = 'is filled before the image is normalised, in another colour'
        if value != 255:
            effect = f'becomes class {value}'
        elif (
            model.get('regularizers')
            or model.get('refiner')
            or any(_is_blp(head) for _, head in _heads(model))
        ):
            effect = 'counts as unlabelled image'
        yield (
            'the training pipeline has the step Pad, whose padding '
            f'{effect}: drop it and set model.data_preprocessor.size'
        )


def _heads(model: Mapping[str, Any]) -> Iterator[tuple[str, Mapping]]:
    for key in HEADS:
        given = model.get(key)
        if isinstance(given, Mapping):
            yield key, given
        elif isinstance(given, list | tuple):
            for index, head in enumerate(given):
                yield f'{key}.{index}', head


def _cross_entropies(
    model: Mapping[str, Any],
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield where a stock cross entropy is, and its settings."""
    for where, head in _heads(model):
        given = head.get('loss_decode') or {}
        several = isinstance(given, list | tuple)
        for index, loss in enumerate(given if several else [given]):
            kind = class_of(loss.get('type'), MODELS)
            if kind is CrossEntropyLoss:
                name = f'{where}.loss_decode'
                yield f'{name}.{index}' if several else name, loss


def _weights_without_average(model: Mapping[str, Any]) -> Iterator[str]:
    """Yield where the average looks up the weight of class 255."""
    for where, loss in _cross_entropies(model):
        mean = loss.get('reduction', 'mean') == 'mean'
        if loss.get('class_weight') is not None and mean:
            yield (
                f'model.{where}.class_weight is set, but mmseg cannot average '
                'with it where pixels have no label (IndexError: index 255): '
                f"set model.{where} to dict(type='BalancedCrossEntropyLoss'), "
                'in which background and foreground have the same weight, or '
                f"set its reduction='sum' and its loss_weight to 1 / "
                '(labelled pixels of a batch)'
            )


def _is_blp(head: Mapping[str, Any]) -> bool:
    found = class_of(head.get('type'), MODELS)
    return isinstance(found, type) and issubclass(found, BLPHead)


def _preprocesses(cfg: Mapping[str, Any]) -> bool:
    given = cfg['model'].get('data_preprocessor') or {}
    return given.get('type') == 'SegDataPreProcessor'


def _padding(cfg: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return size and size_divisor of the data preprocessor."""
    given = cfg['model'].get('data_preprocessor') or {}
    size = given.get('size')
    return None if size is None else tuple(size), given.get('size_divisor')


def _crops(node: Any) -> Iterator[tuple[int, int]]:
    """Yield the different sizes of crops in a data loader's config."""
    sizes = []
    for step in _steps(node, 'RandomCrop', 'SparseRandomCrop'):
        size = step.get('crop_size')
        if size is not None:
            sizes.append(
                (size, size) if isinstance(size, int) else tuple(size)
            )
    yield from dict.fromkeys(sizes)


def _steps(node: Any, *names: str) -> Iterator[Mapping[str, Any]]:
    """Yield the steps of these types, wherever they are in a config."""
    if isinstance(node, Mapping):
        if str(node.get('type')).rpartition('.')[2] in names:
            yield node
        for value in node.values():
            yield from _steps(value, *names)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _steps(value, *names)


def _larger(size: tuple[int, ...], crop: tuple[int, ...]) -> bool:
    return all(s >= c for s, c in zip(size, crop, strict=True))


def _some(classes: Sequence[str]) -> str:
    return ', '.join(classes[:4]) + ', ...' * (len(classes) > 4)
