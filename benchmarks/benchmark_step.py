"""Compare the training step of two configs: time and peak memory.

Each config runs in a separate process, and the two alternate step by step, so
that a change in the machine's speed affects both. The batch consists of random
images with random strokes, in the batch size and crop size of the config.
Memory is the peak of the process's resident set on a CPU (since the warm-up),
and of torch's allocator on CUDA; the resident set varies by one or two per
cent from run to run. The peak of the tensors alone is the same in every run.
It is counted in one more step and includes gradients and what is kept for the
backward pass, but neither parameters nor the optimizer's state.
"""

import argparse
import json
import multiprocessing
import statistics
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'config_a', help='path of the config that is the reference'
    )
    parser.add_argument(
        'config_b', help='path of the config to compare with it'
    )
    parser.add_argument(
        '--steps', type=int, default=20, help='steps of each (default: 20)'
    )
    parser.add_argument(
        '--warmup',
        type=int,
        default=3,
        help='steps before the measurement (default: 3)',
    )
    parser.add_argument(
        '--iteration',
        type=int,
        default=0,
        help='iteration of the training, for methods that change in its '
        'course (default: %(default)s)',
    )
    parser.add_argument('--batch-size', type=int, help="default: the config's")
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        metavar=('HEIGHT', 'WIDTH'),
        help="size of the images (default: the config's crop)",
    )
    parser.add_argument(
        '--labeled',
        type=float,
        default=0.04,
        help='share of labelled pixels (default: 0.04)',
    )
    parser.add_argument(
        '--threads', type=int, help="CPU threads (default: torch's)"
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision')
    parser.add_argument(
        '--amp-dtype',
        choices=('float16', 'bfloat16'),
        help="of mixed precision (default: torch's for the device)",
    )
    parser.add_argument(
        '--device', help='cpu or cuda (default: cuda where there is one)'
    )
    parser.add_argument('--out', help='write the figures to this JSON file')
    return parser


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line and check it."""
    parser = make_parser()
    args = parser.parse_args(argv)
    for path in (args.config_a, args.config_b):
        if not Path(path).is_file():
            parser.error(f'config not found: {path!r}')
    if args.steps < 1 or args.warmup < 0 or args.iteration < 0:
        parser.error(
            '--steps must be at least 1, --warmup and --iteration at least 0'
        )
    if not 0 <= args.labeled <= 1:
        parser.error(f'--labeled must lie in [0, 1], got {args.labeled}')
    return args


class Trainer:
    """One config's model, optimizer and batch."""

    def __init__(self, path: str, args: argparse.Namespace) -> None:
        import torch
        from mmengine.config import Config
        from mmengine.logging import MessageHub
        from mmengine.model import revert_sync_batchnorm
        from mmengine.optim import build_optim_wrapper
        from mmengine.registry import MODELS, init_default_scope

        import mmseg_sparse  # noqa: F401
        from mmseg_sparse.engine import launch

        if args.threads:
            torch.set_num_threads(args.threads)
        cfg = Config.fromfile(path)
        init_default_scope(cfg.get('default_scope', 'mmseg'))
        if args.amp:
            launch.enable_amp(cfg)
            cfg.optim_wrapper.dtype = args.amp_dtype
        self.cuda = args.device == 'cuda'
        if not self.cuda:
            launch.fit_to_cpu(cfg)
        if args.size:
            cfg.model.data_preprocessor.pop('size_divisor', None)
            cfg.model.data_preprocessor.size = tuple(args.size)
        torch.manual_seed(0)
        model = revert_sync_batchnorm(MODELS.build(drop_weights(cfg.model)))
        self.model = model.to(args.device).train()
        self.optim = build_optim_wrapper(self.model, cfg.optim_wrapper)
        hub = MessageHub.get_current_instance()
        hub.update_info('iter', args.iteration)
        length = cfg.get('train_cfg', {}).get('max_iters')
        hub.update_info('max_iters', length)
        batch = args.batch_size or cfg.train_dataloader.batch_size
        size = cfg.model.data_preprocessor.get('size')
        if size is None:
            raise ValueError(
                f'{path} has no model.data_preprocessor.size: give --size'
            )
        head = cfg.model.decode_head
        head = head[-1] if isinstance(head, list) else head
        self.batch = random_batch(
            batch, tuple(size), head.num_classes, args.labeled
        )

    def step(self) -> dict[str, float]:
        """Train one step, return its wall and processor time in seconds."""
        import time

        import torch

        def now() -> tuple[float, float]:
            if self.cuda:
                torch.cuda.synchronize()
            return time.perf_counter(), time.process_time()

        start = now()
        self.model.train_step(self.batch, self.optim)
        end = now()
        return {'wall': end[0] - start[0], 'cpu': end[1] - start[1]}

    def reset_peak(self) -> None:
        """Forget the peak so far."""
        import torch

        if self.cuda:
            torch.cuda.reset_peak_memory_stats()
            return
        try:  # Linux: 5 sets the peak to the present resident set
            Path('/proc/self/clear_refs').write_text('5')
        except OSError:
            pass

    def tensor_peak(self) -> float:
        """Train one more step; return the peak of its tensors in MiB."""
        from memory import TensorBytes

        with TensorBytes() as count:
            self.model.train_step(self.batch, self.optim)
        return count.peak / 2**20

    def peak(self) -> float:
        """Return the peak in MiB."""
        import resource

        import torch

        if self.cuda:
            return torch.cuda.max_memory_allocated() / 2**20
        try:
            status = Path('/proc/self/status').read_text()
            return int(status.split('VmHWM:')[1].split()[0]) / 2**10
        except (OSError, IndexError):
            usage = resource.getrusage(resource.RUSAGE_SELF)
            return usage.ru_maxrss / 2**10


def drop_weights(cfg: Any) -> Any:
    """Remove what would load pretrained weights; steps cost the same."""
    if isinstance(cfg, dict):
        init = cfg.get('init_cfg')
        if isinstance(init, dict) and init.get('type') == 'Pretrained':
            cfg['init_cfg'] = None
        if isinstance(cfg.get('pretrained'), str):
            cfg['pretrained'] = None
    if isinstance(cfg, dict | list | tuple):
        for value in cfg.values() if isinstance(cfg, dict) else cfg:
            drop_weights(value)
    return cfg


def random_strokes(
    size: tuple[int, int], classes: int, labeled: float, generator: Any
) -> Any:
    """Return a label map with level and upright strokes, 3 pixels wide.

    They are drawn until ``labeled`` of the pixels have a label, the last one
    included: in clumps, as annotators leave them.
    """
    import torch

    labels = torch.full(size, 255)
    wanted = labeled * labels.numel()
    while (labels != 255).sum() < wanted:
        kind, *draw, label = torch.randint(
            0, 2**31, (4,), generator=generator
        ).tolist()
        shape = (3, 24) if kind % 2 else (24, 3)
        # Some begin before the border, or its pixels would be drawn rarely.
        top, left = (
            number % (side + length) - length
            for number, side, length in zip(draw, size, shape, strict=True)
        )
        labels[
            max(top, 0) : max(top + shape[0], 0),
            max(left, 0) : max(left + shape[1], 0),
        ] = label % classes
    return labels


def random_batch(
    batch: int, size: tuple[int, int], classes: int, labeled: float
) -> dict[str, list[Any]]:
    """Return random images with ``labeled`` of their pixels labelled."""
    import torch
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    generator = torch.Generator().manual_seed(0)
    inputs, samples = [], []
    for _ in range(batch):
        inputs.append(
            torch.randint(0, 256, (3, *size), generator=generator).byte()
        )
        labels = random_strokes(size, classes, labeled, generator)
        samples.append(
            SegDataSample(
                gt_sem_seg=PixelData(data=labels[None]),
                metainfo=dict(img_shape=size, ori_shape=size),
            )
        )
    return dict(inputs=inputs, data_samples=samples)


def serve(pipe: Connection, path: str, args: argparse.Namespace) -> None:
    """Answer the parent's requests in a process of one config."""
    import traceback
    import warnings

    warnings.filterwarnings('ignore')
    try:
        trainer = Trainer(path, args)
        pipe.send(None)
        while request := pipe.recv():
            pipe.send(getattr(trainer, request)())
    except Exception:
        pipe.send(traceback.format_exc())
    finally:
        pipe.close()


class Remote:
    """The parent's end of one config's process."""

    def __init__(self, path: str, args: argparse.Namespace) -> None:
        context = multiprocessing.get_context('spawn')
        self.pipe, child = context.Pipe()
        self.process = context.Process(
            target=serve, args=(child, path, args), daemon=True
        )
        self.process.start()
        child.close()
        self.path = path
        self._answer()

    def ask(self, request: str) -> Any:
        """Run a method of the trainer and return its result."""
        self.pipe.send(request)
        return self._answer()

    def _answer(self) -> Any:
        try:
            answer = self.pipe.recv()
        except EOFError:
            raise SystemExit(f'{self.path}: the process died') from None
        if isinstance(answer, str):
            raise SystemExit(f'{self.path}:\n{answer}')
        return answer

    def stop(self) -> None:
        """End the process."""
        self.pipe.send(None)
        self.process.join(10)


def measure(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Let the two configs take turns; return the figures of each."""
    remotes = [Remote(path, args) for path in (args.config_a, args.config_b)]
    for _ in range(args.warmup):
        for remote in remotes:
            remote.ask('step')
    for remote in remotes:
        remote.ask('reset_peak')
    steps: list[list[dict[str, float]]] = [[], []]
    for number in range(args.steps):
        for taken, remote in zip(steps, remotes, strict=True):
            taken.append(remote.ask('step'))
        print(f'\rstep {number + 1}/{args.steps}', end='', flush=True)
    print()
    figures = []
    for remote, taken in zip(remotes, steps, strict=True):
        figures.append(
            {
                'config': remote.path,
                'wall_s': [step['wall'] for step in taken],
                'cpu_s': [step['cpu'] for step in taken],
                'peak_mib': remote.ask('peak'),
                'tensors_mib': remote.ask('tensor_peak'),
            }
        )
        remote.stop()
    return figures


def summarise(figures: list[dict[str, Any]]) -> dict[str, Any]:
    """Return medians of each config and the ratios b/a."""
    a, b = figures
    summary: dict[str, Any] = {'a': a, 'b': b, 'ratio': {}}
    for key in ('wall_s', 'cpu_s'):
        for one in figures:
            one[f'median_{key}'] = statistics.median(one[key])
        summary['ratio'][key] = statistics.median(
            y / x for x, y in zip(a[key], b[key], strict=True)
        )
    for key in ('peak_mib', 'tensors_mib'):
        summary['ratio'][key] = b[key] / a[key]
    return summary


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print a table, write the figures."""
    args = parse_args(argv)
    import torch
    from prettytable import PrettyTable

    args.device = args.device or (
        'cuda' if torch.cuda.is_available() else 'cpu'
    )
    summary = summarise(measure(args))
    table = PrettyTable(
        ['', 'step [s]', 'processor [s]', 'peak [MiB]', 'tensors [MiB]']
    )
    table.align[''] = 'l'
    for name in ('a', 'b'):
        one = summary[name]
        table.add_row(
            [
                f'{name}: {Path(one["config"]).stem}',
                f'{one["median_wall_s"]:.3f}',
                f'{one["median_cpu_s"]:.3f}',
                f'{one["peak_mib"]:.0f}',
                f'{one["tensors_mib"]:.0f}',
            ]
        )
    table.add_row(
        ['b / a (median of pairs)']
        + [f'{value:.3f}' for value in summary['ratio'].values()]
    )
    print(f'{args.device}, torch {torch.__version__}, {args.steps} steps')
    print(table)
    if args.out:
        Path(args.out).write_text(json.dumps(summary, indent=1))


if __name__ == '__main__':
    main()
