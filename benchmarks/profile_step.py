"""Show how the time of a training step is distributed.

Trains some steps on the config's own data, without saving anything, and adds
up the time of loading, forward and backward pass and optimizer, and within
the forward pass that of the parts of this package: regularizers, refiners
and the computation of AFA's labels. If the training of a method has phases,
--iteration selects one.

--gradients adds a table of the losses: the norm of each one's gradient with
respect to the backbone's parameters, which all losses share, and the cosine
between it and the gradient of the first loss. These are means over further
steps, without an update in between. The weights are those that the config
starts from; --cfg-options load_from=CHECKPOINT takes others.
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
    parser.add_argument(
        '--gradients', action='store_true',
        help="also compare the gradients of the losses",
    )  # fmt: skip
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
        from mmengine.runner import Runner, load_checkpoint

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
        if cfg.get('load_from'):
            load_checkpoint(model, cfg.load_from, map_location='cpu')
        self.model = model.to(args.device).train()
        self.optim = build_optim_wrapper(self.model, cfg.optim_wrapper)
        hub = MessageHub.get_current_instance()
        hub.update_info('iter', args.iteration)
        length = cfg.get('train_cfg', {}).get('max_iters')
        hub.update_info('max_iters', length)

    def losses(self, batch: Any) -> dict[str, Any]:
        """Return the losses of a batch, and what else the model logs."""
        ready = self.model.data_preprocessor(batch, True)
        losses: dict[str, Any] = self.model(**ready, mode='loss')
        return losses

    def step(self) -> None:
        """Train one step, each phase under its name."""
        from torch.profiler import record_function

        with record_function('data loading'):
            batch = next(self.data)
        with record_function('forward'), self.optim.optim_context(self.model):
            losses = self.losses(batch)
            loss, _ = self.model.parse_losses(losses)
        with record_function('backward'):
            self.optim.backward(loss)
        with record_function('optimizer'):
            self.optim.step()
            self.optim.zero_grad()


def measure(training: Training, args: argparse.Namespace) -> dict[str, float]:
    """Return the seconds a step of each phase, and of each part."""
    from torch.profiler import ProfilerActivity, profile

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


def compare_gradients(
    losses: dict[str, Any], shared: Sequence[Any]
) -> dict[str, dict[str, float]]:
    """Return value, gradient norm and cosine with the first of each loss.

    The losses are those that MMEngine adds up, and are reduced as there.
    """
    import torch
    import torch.nn.functional as F

    first = None
    found = {}
    for name, value in losses.items():
        if 'loss' not in name:
            continue
        parts = value if isinstance(value, list | tuple) else [value]
        total = torch.stack([part.mean() for part in parts]).sum()
        gradients: Sequence[Any] = [None] * len(shared)
        if total.requires_grad:
            gradients = torch.autograd.grad(
                total, shared, retain_graph=True, allow_unused=True
            )
        flat = torch.cat(
            [
                (torch.zeros_like(at) if one is None else one).flatten()
                for at, one in zip(shared, gradients, strict=True)
            ]
        ).double()
        first = flat if first is None else first
        found[name] = dict(
            value=total.item(),
            norm=flat.norm().item(),
            cosine=F.cosine_similarity(flat, first, dim=0).item(),
        )
    return found


def measure_gradients(
    training: Training, steps: int
) -> dict[str, dict[str, float]]:
    """Return the means of :func:`compare_gradients` over steps.

    Raises:
        ValueError: If no parameter of the backbone is trained.
    """
    shared = [p for p in training.model.backbone.parameters()
              if p.requires_grad]  # fmt: skip
    if not shared:
        raise ValueError(
            '--gradients compares gradients with respect to the backbone, '
            "and this config's backbone has no parameter that is trained"
        )
    taken = []
    for _ in range(steps):
        with training.optim.optim_context(training.model):
            losses = training.losses(next(training.data))
        taken.append(compare_gradients(losses, shared))
    return {
        name: {
            key: sum(one[name][key] for one in taken) / steps
            for key in figures
        }
        for name, figures in taken[0].items()
    }


def gradient_table(found: dict[str, dict[str, float]]) -> Any:
    """Return a table with a row for each loss."""
    from prettytable import PrettyTable

    table = PrettyTable(
        ['loss', 'value', 'gradient norm', 'of the first', 'cosine']
    )
    table.align['loss'] = 'l'
    first = next(iter(found.values()))['norm']
    for name, one in found.items():
        share = f'{one["norm"] / first:.3g}' if first else '-'
        table.add_row(
            [name, f'{one["value"]:.4g}', f'{one["norm"]:.4g}', share,
             f'{one["cosine"]:.3f}']
        )  # fmt: skip
    return table


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
        training = Training(args)
        table, figures = report(measure(training, args))
        if args.gradients:
            figures['gradients'] = measure_gradients(training, args.steps)
    except (FileNotFoundError, ValueError) as error:
        fail(str(error))
    print(f'{args.device}, torch {torch.__version__}, {args.steps} steps from '
          f'iteration {args.iteration}')  # fmt: skip
    print(table)
    if args.gradients:
        print(gradient_table(figures['gradients']))
    if args.out:
        Path(args.out).write_text(json.dumps(figures, indent=1))


if __name__ == '__main__':
    main()
