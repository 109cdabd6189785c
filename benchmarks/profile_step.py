"""Show how the time of a training step is distributed.

Trains some steps on the config's own data, without saving anything, and adds
up the time of loading, forward and backward pass and optimizer, and within
the forward pass that of the parts of this package: regularizers, refiners
and the computation of AFA's labels. If the training of a method has phases,
--iteration selects one.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'tools'))
from _arguments import KeyValue, fail, find_config

PHASES = ('data loading', 'forward', 'backward', 'optimizer')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'config', help='path of a config, or the name of a shipped one'
    )
    parser.add_argument(
        '--iteration', type=int, default=0,
        help='iteration of the training (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--steps', type=int, default=5, help='steps to add up (default: 5)'
    )
    parser.add_argument(
        '--warmup', type=int, default=2,
        help='steps before the measurement (default: 2)',
    )  # fmt: skip
    parser.add_argument(
        '--threads', type=int, help="CPU threads (default: torch's)"
    )
    parser.add_argument(
        '--device', help='cpu or cuda (default: cuda where there is one)'
    )
    parser.add_argument('--out', help='write the figures to this JSON file')
    parser.add_argument(
        '--cfg-options', nargs='+', action=KeyValue, metavar='KEY=VALUE',
        help='override settings of the config',
    )  # fmt: skip
    args = parser.parse_args(argv)
    for name, least in (('steps', 1), ('warmup', 0), ('iteration', 0)):
        if getattr(args, name) < least:
            parser.error(
                f'--{name} must be at least {least}, got {getattr(args, name)}'
            )
    args.config = find_config(args.config)
    return args


class Training:
    """A config's model, optimizer and data."""

    def __init__(self, args: argparse.Namespace) -> None:
        import torch
        from mmengine.config import Config
        from mmengine.logging import MessageHub
        from mmengine.model import revert_sync_batchnorm
        from mmengine.optim import build_optim_wrapper
        from mmengine.registry import MODELS, init_default_scope
        from mmengine.runner import Runner

        import mmseg_sparse  # noqa: F401
        from mmseg_sparse.engine import launch

        if args.threads:
            torch.set_num_threads(args.threads)
        cfg = Config.fromfile(args.config)
        cfg.merge_from_dict(args.cfg_options or {})
        init_default_scope(cfg.get('default_scope', 'mmseg'))
        if args.device == 'cpu':
            launch.fit_to_cpu(cfg)
        # In this process, so that loading is seen.
        loader = cfg.train_dataloader
        loader.num_workers = 0
        loader.persistent_workers = False
        torch.manual_seed(0)
        self.data = iter(Runner.build_dataloader(loader, seed=0))
        model = revert_sync_batchnorm(MODELS.build(cfg.model))
        model.init_weights()
        self.model = model.to(args.device).train()
        self.optim = build_optim_wrapper(self.model, cfg.optim_wrapper)
        hub = MessageHub.get_current_instance()
        hub.update_info('iter', args.iteration)
        hub.update_info('max_iters', cfg.train_cfg.get('max_iters'))

    def step(self) -> None:
        """Train one step, each phase under its name."""
        from torch.profiler import record_function

        with record_function('data loading'):
            batch = next(self.data)
        with record_function('forward'), self.optim.optim_context(self.model):
            ready = self.model.data_preprocessor(batch, True)
            losses = self.model(**ready, mode='loss')
            loss, _ = self.model.parse_losses(losses)
        with record_function('backward'):
            self.optim.backward(loss)
        with record_function('optimizer'):
            self.optim.step()
            self.optim.zero_grad()


def measure(args: argparse.Namespace) -> dict[str, float]:
    """Return the seconds a step of each phase, and of each part."""
    from torch.profiler import ProfilerActivity, profile

    training = Training(args)
    for _ in range(args.warmup):
        training.step()
    activities = [ProfilerActivity.CPU]
    on_gpu = args.device.startswith('cuda')
    if on_gpu:
        activities.append(ProfilerActivity.CUDA)
    with profile(activities=activities) as profiler:
        for _ in range(args.steps):
            training.step()
    found: dict[str, float] = defaultdict(float)
    for event in profiler.key_averages():
        if event.key in PHASES or event.key.startswith('mmseg_sparse/'):
            total = event.cpu_time_total
            if on_gpu:
                total = max(total, event.device_time_total)
            name = event.key.removeprefix('mmseg_sparse/')
            found[name] = max(found[name], total / 1e6 / args.steps)
    return dict(found)


def report(seconds: dict[str, float]) -> tuple[Any, dict[str, Any]]:
    """Return a table and the figures: seconds and shares of a step."""
    from prettytable import PrettyTable

    step = sum(seconds[name] for name in PHASES)
    table = PrettyTable(['', 'step [s]', 'share'])
    table.align[''] = 'l'
    parts = sorted(set(seconds) - set(PHASES), key=lambda n: -seconds[n])
    order = ['data loading', 'forward', *parts, 'backward', 'optimizer']
    for name in order:
        shown = f'  {name}' if name in parts else name
        table.add_row(
            [shown, f'{seconds[name]:.4f}', f'{seconds[name] / step:.1%}']
        )
    table.add_row(['sum', f'{step:.4f}', '100.0%'])
    shares = {name: seconds[name] / step for name in order}
    return table, {'seconds': seconds, 'shares': shares, 'step_s': step}


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print a table, write the figures."""
    args = parse_args(argv)
    import torch

    args.device = args.device or (
        'cuda' if torch.cuda.is_available() else 'cpu'
    )
    try:
        table, figures = report(measure(args))
    except (FileNotFoundError, ValueError) as error:
        fail(str(error))
    print(f'{args.device}, torch {torch.__version__}, {args.steps} steps from '
          f'iteration {args.iteration}')  # fmt: skip
    print(table)
    if args.out:
        Path(args.out).write_text(json.dumps(figures, indent=1))


if __name__ == '__main__':
    main()
