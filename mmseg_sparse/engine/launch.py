"""What the train and test tools share: from arguments to a runner."""

import argparse
import os
import warnings
from pathlib import Path

import torch
from mmengine.config import Config, DictAction
from mmengine.device import get_device
from mmengine.dist import is_distributed
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import RUNNERS
from mmengine.runner import Runner


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what mmseg's users know from both of its tools."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override settings of the config; a list as key="[a,b]" or '
        'key=a,b, nested as key="[(a,b),(c,d)]", without white space',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how the processes of a distributed job were started',
    )
    # torch.distributed.launch passes --local-rank.
    parser.add_argument(
        '--local_rank', '--local-rank', type=int, default=0,
        help=argparse.SUPPRESS,
    )  # fmt: skip


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
            "--amp needs optim_wrapper.type='OptimWrapper', got "
            f'{wrapper!r}'
        )
    if wrapper == 'OptimWrapper':
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


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


def build_runner(cfg: Config) -> Runner:
    """Build the config's runner, on CPU as well as on GPUs.

    SyncBN is reverted to BN where it cannot run: in a job of one process,
    and on CPU.
    """
    on_cpu = get_device() == 'cpu'
    if on_cpu:
        fit_to_cpu(cfg)
    if 'runner_type' in cfg:
        runner = RUNNERS.build(cfg)
    else:
        runner = Runner.from_cfg(cfg)
    if on_cpu or not is_distributed():
        runner.model = revert_sync_batchnorm(runner.model)
    return runner


def warn_without_gpu() -> None:
    """Say once that a CPU trains, and with how many threads."""
    if get_device() == 'cpu':
        print(
            f'No GPU found: running on CPU, {torch.get_num_threads()} '
            'threads',
            flush=True,
        )
