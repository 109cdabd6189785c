"""The start of a training in ten lines."""

import os
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.dist import get_world_size
from mmengine.hooks import CheckpointHook
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop, Runner

from ..doctor.examine import Examination
from ..doctor.findings import percent
from ..utils.config_tree import inner_datasets


def lines(
    runner: Runner, found: Examination | None, seconds: float
) -> list[str]:
    """Return what a run is about to do.

    Args:
        runner: A runner that is about to train.
        found: What a look at the label files found; None: nobody looked.
        seconds: How long it took.
    """
    parts = {
        'model': _model(runner),
        'data': _data(runner),
        'labels': _labels(runner, found, seconds),
        'schedule': _schedule(runner),
        'validation': _validation(runner),
        'weights': _weights(runner),
        'device': _device(),
        'output': _output(runner),
    }
    return [f'{name + ":":11} {text}' for name, text in parts.items()]


def estimate(done: int, left: int, seconds: float, loss: float | None) -> str:
    """Return the line that follows the first iterations.

    Args:
        done: Iterations done in this process.
        left: Iterations that are left.
        seconds: Time of one iteration.
        loss: The loss of the last one.
    """
    value = '' if loss is None else f'loss {loss:.3f}, '
    rest = timedelta(seconds=round(left * seconds))
    return (
        f'{"estimate:":11} {value}{seconds:.2g} s an iteration after '
        f'{done}: about {rest} (h:min:s) of training, plus validation'
    )


def _model(runner: Runner) -> str:
    model = runner.model.module if is_model_wrapper(runner.model) else (
        runner.model
    )  # fmt: skip
    parts = [
        type(part).__name__
        for name, part in model.named_children()
        if name in ('backbone', 'neck', 'decode_head', 'weak_head')
        and not isinstance(part, torch.nn.ModuleList)
    ]
    for name, part in model.named_children():
        if name in ('decode_head', 'regularizers') and isinstance(
            part, torch.nn.ModuleList
        ):
            parts += [type(one).__name__ for one in part]
    count = sum(p.numel() for p in model.parameters() if p.requires_grad)
    number = f'{count / 1e6:.1f} M' if count >= 1e5 else f'{count / 1e3:.1f} k'
    return f'{type(model).__name__}: {", ".join(parts)}; {number} parameters'


def _data(runner: Runner) -> str:
    loader = runner.train_dataloader
    places: list[str] = []
    for leaf in inner_datasets(runner.cfg['train_dataloader']['dataset']):
        prefix = leaf.get('data_prefix') or {}
        root = leaf.get('data_root')
        if root or prefix:
            place = os.path.join(root or '', prefix.get('img_path') or '')
            places.append(os.path.normpath(place))
    classes = len(loader.dataset.metainfo.get('classes') or ())
    return f'{len(loader.dataset)} images, {classes} classes: ' + ', '.join(
        dict.fromkeys(places)
    )


def _labels(runner: Runner, found: Examination | None, seconds: float) -> str:
    if found is None:
        return 'not checked'
    read, total = len(found.usable), len(found.files)
    tagged = sum(bool(item.tags) for item in found.data.items)
    parts = []
    if read:
        parts.append(
            f'{percent(found.labeled_share)} of the pixels, from {read} of '
            f'{total} label files'
        )
    if tagged:
        parts.append(f'image tags of {tagged} images')
    return f'{" and ".join(parts)} (checked in {seconds:.1f} s)'


def _schedule(runner: Runner) -> str:
    loop = runner.train_loop
    loader = runner.train_dataloader
    images = (loader.batch_size or 1) * get_world_size()
    passes = loop.max_iters * images / max(len(loader.dataset), 1)
    optimizer = getattr(runner.optim_wrapper, 'optimizer', None)
    text = f'{loop.max_iters} iterations of {images} images'
    text += f' ({passes:.3g} times the data set)'
    if optimizer is None:
        return text
    rate = max(group['lr'] for group in optimizer.param_groups)
    initial = max(
        group.get('initial_lr', rate) for group in optimizer.param_groups
    )
    return f'{text}, {type(optimizer).__name__}, learning rate {initial:g}'


def _validation(runner: Runner) -> str:
    if runner.val_loop is None:
        return 'none'
    by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
    unit = 'epochs' if by_epoch else 'iterations'
    images = len(runner.val_dataloader.dataset)
    return f'{images} images every {runner.val_interval} {unit}'


def _weights(runner: Runner) -> str:
    if runner.iter:
        return f'of iteration {runner.iter}, where this run goes on'
    if runner._load_from:
        return f'all of {runner._load_from}'
    files = list(dict.fromkeys(_pretrained(runner.cfg.model)))
    return ', '.join(files) if files else 'random: trained from scratch'


def _pretrained(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if node.get('type') == 'Pretrained' and node.get('checkpoint'):
            yield str(node['checkpoint'])
        if isinstance(node.get('pretrained'), str):
            yield node['pretrained']
        for value in node.values():
            yield from _pretrained(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _pretrained(value)


def _device() -> str:
    if get_device() == 'cpu':
        number = torch.get_num_threads()
        threads = f'{number} thread' + 's' * (number > 1)
        return f'CPU, {threads} (no GPU was found)'
    name = get_device()
    if torch.cuda.is_available():
        name = torch.cuda.get_device_name()
    number = get_world_size()
    return f'{number} x {name}' if number > 1 else name


def _output(runner: Runner) -> str:
    log = runner.logger.log_file
    text = f'{runner.work_dir}'
    for hook in runner.hooks:
        if isinstance(hook, CheckpointHook) and hook.interval > 0:
            unit = 'epochs' if hook.by_epoch else 'iterations'
            text += f', a checkpoint every {hook.interval} {unit}'
    if log is not None:
        text += f'; full log {Path(log).relative_to(runner.work_dir)}'
    return text
