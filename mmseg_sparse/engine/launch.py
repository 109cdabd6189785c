"""What the train and test tools share: from a config to a runner."""

import argparse
import datetime
import inspect
import os
import warnings
from pathlib import Path
from typing import Any

import torch.distributed
from mmengine.config import Config, ConfigDict
from mmengine.device import get_device
from mmengine.dist import is_distributed
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from mmseg.registry import METRICS

from ..registry import class_of
from ..utils.config_tree import inner_datasets, step_name
from .hooks import FiniteLossHook, InterruptHook, RunStartHook
from .runner import CheckedRunner


def load_config(args: argparse.Namespace) -> Config:
    """Read the config and put the common arguments into it.

    The work directory is ``--work-dir``, else the config's ``work_dir``,
    else ``work_dirs/`` and the config's name.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    cfg = Config.fromfile(args.config)
    cfg.launcher = args.launcher
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(args.config).stem)
    return cfg


def enable_amp(cfg: Config) -> None:
    """Train in mixed precision, as mmseg's ``--amp``.

    Raises:
        ValueError: If the config's optimizer wrapper is neither
            ``OptimWrapper`` nor ``AmpOptimWrapper``.
    """
    wrapper = cfg.optim_wrapper.type
    if wrapper not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise ValueError(
            f"--amp needs optim_wrapper.type='OptimWrapper', got {wrapper!r}"
        )
    if wrapper == 'OptimWrapper':
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def enable_drawing(
    cfg: Config,
    *,
    show: bool = False,
    show_dir: str | None = None,
    wait_time: float = 2.0,
) -> None:
    """Draw predictions while testing, as mmseg's ``--show``, ``--show-dir``.

    mmseg's hook draws one image in 50 where the config does not say
    otherwise; here the default is every image.

    Raises:
        ValueError: If the config has no visualization hook or visualizer.
    """
    hook = cfg.get('default_hooks', {}).get('visualization')
    if hook is None or cfg.get('visualizer') is None:
        raise ValueError(
            'drawing needs default_hooks.visualization and visualizer in the '
            "config, as in 'mmseg::_base_/default_runtime.py'"
        )
    hook.draw = True
    hook.setdefault('interval', 1)
    if show:
        hook.show = True
        hook.wait_time = wait_time
    if show_dir is not None:
        cfg.visualizer.save_dir = show_dir


def enable_tta(cfg: Config) -> None:
    """Test with test-time augmentation, as mmseg's ``--tta``.

    Only predictions are merged: pseudo labels, which need tags, are neither
    made nor measured.

    Raises:
        ValueError: If the config lacks ``tta_model`` or ``tta_pipeline``.
    """
    for key in ('tta_model', 'tta_pipeline'):
        if cfg.get(key) is None:
            raise ValueError(f'--tta needs {key} in the config')
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
    if (cfg.model.get('test_cfg') or {}).get('pseudo_labels'):
        warnings.warn('--tta measures no pseudo labels', stacklevel=2)
        cfg.model.test_cfg.pseudo_labels = False
        evaluators = cfg.test_evaluator
        if not isinstance(evaluators, dict):
            cfg.test_evaluator = [
                e for e in evaluators if e['type'] != 'PseudoLabelMetric'
            ]
    cfg.tta_model.module = cfg.model
    cfg.model = cfg.tta_model


def save_predictions(cfg: Config, folder: str) -> None:
    """Have the test metrics write the predicted label maps to ``folder``.

    Raises:
        ValueError: If no metric of the config can.
    """
    evaluators = cfg.test_evaluator
    if isinstance(evaluators, dict):
        evaluators = [evaluators]
    writing = [
        evaluator
        for evaluator in evaluators
        if 'output_dir'
        in inspect.signature(class_of(evaluator['type'], METRICS)).parameters
    ]
    if not writing:
        raise ValueError(
            '--out needs a metric in test_evaluator that writes predictions, '
            'such as IoUMetric'
        )
    for evaluator in writing:
        evaluator['output_dir'] = folder
        evaluator['keep_results'] = True


def format_only(cfg: Config, folder: str) -> None:
    """Test on images without masks: write label maps, measure nothing.

    Steps that load annotations are dropped from the pipeline of testing, and
    ``LabelMapWriter`` takes the place of all metrics.
    """
    for dataset in inner_datasets(cfg.test_dataloader.dataset):
        dataset['pipeline'] = _without_annotations(dataset.get('pipeline'))
    cfg.test_evaluator = dict(type='LabelMapWriter', output_dir=folder)


def _without_annotations(node: Any) -> Any:
    """Return a pipeline without the steps that load annotations."""
    if isinstance(node, list | tuple):
        kept = [_without_annotations(item) for item in node]
        # An empty list is what is left of one of TestTimeAug's branches.
        return [item for item in kept if item is not None and item != []]
    if not isinstance(node, dict):
        return node
    if step_name(node) in ('LoadAnnotations', 'LoadSparseAnnotations'):
        return None
    branches = node.get('transforms')
    if branches is None:
        return node
    return {**node, 'transforms': _without_annotations(branches)}


def fit_to_cpu(cfg: Config) -> None:
    """Drop from the config what MMEngine does on accelerators only."""
    wrapper = cfg.get('optim_wrapper')
    if wrapper is not None and wrapper.get('type') == 'AmpOptimWrapper':
        warnings.warn(
            'mixed precision needs a GPU: training in float32 on this CPU',
            stacklevel=2,
        )
        wrapper.type = 'OptimWrapper'
        for key in ('loss_scale', 'dtype', 'use_fsdp'):
            wrapper.pop(key, None)
    if cfg.get('model') is not None:
        _replace_sync_bn(cfg.model)


def _replace_sync_bn(node: Any) -> None:
    """Turn SyncBN into BN in place; DDP refuses it on CPU when it wraps."""
    if isinstance(node, ConfigDict):
        if node.get('type') == 'SyncBN':
            node.type = 'BN'
        for value in node.values():
            _replace_sync_bn(value)
    elif isinstance(node, list | tuple):
        for value in node:
            _replace_sync_bn(value)


def watch(
    runner: Runner, *, check: bool | None = None, allow_nan: bool = False
) -> None:
    """Add the hooks that start, watch and end a training.

    They are not written into the config, which stock tools can read then.
    Hooks of these types that the config has are kept, with the arguments
    given here.

    Args:
        runner: A runner that is about to train.
        check: As in ``RunStartHook``; None: as in the config, if it says.
        allow_nan: As in ``FiniteLossHook``; False: as in the config.
    """
    for hook in (RunStartHook(), FiniteLossHook(), InterruptHook()):
        if not any(isinstance(there, type(hook)) for there in runner.hooks):
            runner.register_hook(hook)
    for hook in runner.hooks:
        if isinstance(hook, RunStartHook) and check is not None:
            hook.check = check
        if isinstance(hook, FiniteLossHook) and allow_nan:
            hook.allow_nan = True


def build_runner(cfg: Config) -> Runner:
    """Build the config's runner, on CPU as well as on GPUs.

    It is a :class:`CheckedRunner` unless the config names another. SyncBN is
    reverted to BN where it cannot run: in a job of one process, and on CPU.
    """
    on_cpu = get_device() == 'cpu'
    if on_cpu:
        fit_to_cpu(cfg)
        prepare_cpu_job(cfg)
    if 'runner_type' in cfg:
        runner = RUNNERS.build(cfg)
    else:
        runner = CheckedRunner.from_cfg(cfg)
    if on_cpu or not is_distributed():
        runner.model = revert_sync_batchnorm(runner.model)
    return runner


def prepare_cpu_job(cfg: Config) -> None:
    """Let a job that ``torchrun`` started run on CPU; call before the runner.

    MMEngine starts NCCL and hands the model a GPU number. Without a GPU this
    starts gloo instead, and tells the runner to wrap the model for no
    device. Nothing happens where there is a GPU, or one process only.

    Args:
        cfg: The config, with its ``launcher``; ``model_wrapper_cfg`` is set.

    Raises:
        ValueError: If the launcher is one that needs GPUs.
    """
    launcher = cfg.get('launcher', 'none')
    if launcher == 'none' or get_device() != 'cpu':
        return
    if not is_distributed():
        if launcher != 'pytorch':
            raise ValueError(
                f'launcher={launcher!r} needs GPUs, which this machine does '
                "not have: start the job by torchrun, with launcher='pytorch'"
            )
        arguments: dict[str, Any] = {}
        seconds = cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout')
        if seconds is not None:
            arguments['timeout'] = datetime.timedelta(seconds=seconds)
        torch.distributed.init_process_group('gloo', **arguments)
    wrapper = dict(cfg.get('model_wrapper_cfg') or {})
    wrapper.setdefault('type', 'MMDistributedDataParallel')
    # As the runner does where the config names no wrapper.
    wrapper.setdefault('broadcast_buffers', False)
    wrapper.setdefault(
        'find_unused_parameters', cfg.get('find_unused_parameters', False)
    )
    wrapper['device_ids'] = None
    cfg.model_wrapper_cfg = wrapper
