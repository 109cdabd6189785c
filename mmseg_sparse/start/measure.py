"""How long a training of a config takes on this device."""

import copy
import time
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.logging import MessageHub, MMLogger
from mmengine.model import revert_sync_batchnorm
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS, MODELS

#: Iterations that are timed, after one that is not.
TIMED = 2


def time_training(cfg: Config) -> tuple[float, float]:
    """Return the seconds of an iteration, and of a prediction for validation.

    Iterations have the full batch, with its loading and augmentation, and are
    those of the last phase of the training. Loading counts as it does with
    the data loader's processes: on a CPU these share the cores with the
    training, beside a GPU they work in parallel.

    Args:
        cfg: The config. Pretrained weights are not loaded.

    Raises:
        ValueError: If the config does not fit the data.
    """
    init_default_scope(cfg.get('default_scope') or 'mmseg')
    device = get_device()
    MMLogger.get_current_instance().setLevel('WARNING')
    model = _model(cfg, device)
    wrapper = build_optim_wrapper(model, copy.deepcopy(cfg.optim_wrapper))
    loader = cfg.train_dataloader
    data = DATASETS.build(copy.deepcopy(loader.dataset))
    hub = MessageHub.get_current_instance()
    before = hub.get_info('iter', None)
    hub.update_info('iter', int(cfg.train_cfg.max_iters) - 1)
    loading, training = [], []
    try:
        for number in range(TIMED + 1):
            start = time.perf_counter()
            indices = range(number, number + int(loader.batch_size))
            batch = pseudo_collate([data[k % len(data)] for k in indices])
            loading.append(time.perf_counter() - start)
            start = time.perf_counter()
            model.train_step(batch, wrapper)
            _wait(device)
            training.append(time.perf_counter() - start)
    finally:
        hub.update_info('iter', before or 0)
    load = sum(loading[1:]) / TIMED / max(1, int(loader.num_workers))
    step = sum(training[1:]) / TIMED
    second = load + step if device == 'cpu' else max(load, step)
    return second, _predict(cfg, model, device)


def _model(cfg: Config, device: str) -> Any:
    settings = copy.deepcopy(cfg.model)
    settings.backbone.pop('init_cfg', None)
    model = revert_sync_batchnorm(MODELS.build(settings))
    return model.to(device).train()


def _predict(cfg: Config, model: Any, device: str) -> float:
    """Return the seconds of one prediction; 0 without validation."""
    if cfg.get('val_dataloader') is None:
        return 0.0
    data = DATASETS.build(copy.deepcopy(cfg.val_dataloader.dataset))
    model.eval()
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        with torch.no_grad():
            model.val_step(pseudo_collate([data[0]]))
        _wait(device)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _wait(device: str) -> None:
    if device.startswith('cuda'):
        torch.cuda.synchronize()
