"""Train on strokes in a few minutes, without data, downloads or a GPU.

Makes the toy data set, trains a small MiT on its scribbles, once with plain
cross entropy and once with SASFormer's affinity loss (same model, data,
schedule and seed, at the same time), tests both on dense masks, and writes a
table and a sheet of pictures. Training and testing use `mim`.
"""

import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

from _arguments import at_least, make_parser, run_tool

TOOLS = Path(__file__).resolve().parent
DEFAULT_OUT = Path('work_dirs/demo')
CONFIG = '{}_mit-tiny_segformer_1xb8-2k_toy-scribble-64x64.py'
MAKE_DATA = 'dataset_converters/make_toy_dataset.py'
METHODS = {'ce': 'CE', 'sasformer': 'SASFormer'}
PROGRESS = re.compile(
    r'Iter\((train|val|test)\) \[ *(\d+)/(\d+)\].*?eta: (\S+)(.*?)$'
)
LOSS = re.compile(r' loss: (\S+)')


class StepError(Exception):
    """A step of the demo that failed; the text says which and why."""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__file__, __doc__)
    parser.add_argument(
        '--out',
        type=Path,
        default=DEFAULT_OUT,
        help='folder for data, runs and the sheet (default: %(default)s)',
    )
    for option, least, default, text in (
        ('--iters', 2, None, "training iterations (default: the configs')"),
        ('--seed', 0, 0, 'seed of both trainings (default: %(default)s)'),
        ('--rows', 1, 6, 'images on the sheet (default: %(default)s)'),
        ('--num-train', 1, 200, 'training images (default: %(default)s)'),
        ('--num-val', 1, 100, 'validation images (default: %(default)s)'),
    ):
        parser.add_argument(
            option, type=at_least(least), default=default, help=text
        )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; 1 if a step failed."""
    args = parse_args(argv)
    start = time.monotonic()
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        step(1, 'toy data set', start)
        make_data(args)
        step(2, 'train on scribbles, both side by side', start)
        run_jobs({m: train_command(args, m) for m in METHODS}, 'train', args)
        step(3, 'test on dense masks', start)
        run_jobs({m: test_command(args, m) for m in METHODS}, 'test', args)
        step(4, 'table and pictures', start)
        report(args)
    except (StepError, OSError, ValueError) as error:
        print(f'\ndemo failed: {error}', file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        print('\ndemo interrupted', file=sys.stderr, flush=True)
        return 130
    print(f'\nDone in {clock(time.monotonic() - start)}.', flush=True)
    return 0


def step(number: int, title: str, start: float) -> None:
    """Say which step begins, and when."""
    passed = clock(time.monotonic() - start)
    print(f'\n[{passed}] Step {number} of 4: {title}', flush=True)


def clock(seconds: float) -> str:
    """Format a time span as minutes and seconds."""
    return f'{int(seconds) // 60}:{int(seconds) % 60:02d}'


def make_data(args: argparse.Namespace) -> None:
    """Make the data set, or keep the one there."""
    words = [sys.executable, str(TOOLS / MAKE_DATA), str(args.out / 'data')]
    words += ['--num-train', str(args.num_train)]
    words += ['--num-val', str(args.num_val)]
    print('$ ' + shlex.join(words), flush=True)
    status = subprocess.run(words, check=False, env=quiet()).returncode
    if status != 0:
        raise StepError(
            f'making the data ended with status {status}: {shlex.join(words)}'
        )


def train_command(args: argparse.Namespace, method: str) -> list[str]:
    """Return the training of one method."""
    options = [f'randomness.seed={args.seed}', *data_options(args.out)]
    if args.iters is not None:
        warm_up = min(50, args.iters // 2)
        options += [
            f'train_cfg.max_iters={args.iters}',
            f'train_cfg.val_interval={args.iters}',
            f'param_scheduler.0.end={warm_up}',
            f'param_scheduler.1.begin={warm_up}',
            f'param_scheduler.1.end={args.iters}',
        ]
    words = [*mim('train', method), '--work-dir', str(args.out / method)]
    return [*words, '--cfg-options', *options]


def test_command(args: argparse.Namespace, method: str) -> list[str]:
    """Return the test of one method's last checkpoint."""
    run = args.out / method
    checkpoint = (run / 'last_checkpoint').read_text().strip()
    words = [*mim('test', method), '--checkpoint', checkpoint]
    words += ['--work-dir', str(run / 'test')]
    words += ['--out', str(run / 'predictions')]
    options = data_options(args.out)
    return [*words, '--cfg-options', *options] if options else words


def mim(verb: str, method: str) -> list[str]:
    """Return `mim train|test mmseg_sparse CONFIG`, from this environment.

    Raises:
        StepError: If mim is not installed beside this Python.
    """
    found = shutil.which('mim', path=str(Path(sys.executable).parent))
    found = found or shutil.which('mim')
    if found is None:
        raise StepError('mim not found: pip install openmim')
    # mim makes it when it starts, and fails if another mim does just then.
    Path('~/.cache/mim').expanduser().mkdir(parents=True, exist_ok=True)
    return [found, verb, 'mmseg_sparse', CONFIG.format(method)]


def data_options(out: Path) -> list[str]:
    """Return where the config finds its data, if not where it says."""
    if out == DEFAULT_OUT:
        return []
    return [
        f'{split}_dataloader.dataset.data_root={out / "data"}'
        for split in ('train', 'val', 'test')
    ]


def run_jobs(
    jobs: dict[str, list[str]], verb: str, args: argparse.Namespace
) -> None:
    """Run a command for each method, side by side, and show the progress.

    Raises:
        StepError: If one fails; the others are stopped.
    """
    # A core each: small models gain little from several threads.
    threads = max(1, cores() // len(jobs))
    environment = {'OMP_NUM_THREADS': str(threads), **quiet()}
    logs = {name: args.out / f'{name}_{verb}.log' for name in jobs}
    running: dict[str, subprocess.Popen[bytes]] = {}
    shown = dict.fromkeys(jobs, 0)
    try:
        for name, words in jobs.items():
            print('$ ' + shlex.join(words), flush=True)
            with logs[name].open('wb') as log:
                running[name] = subprocess.Popen(
                    words, stdin=subprocess.DEVNULL, stdout=log,
                    stderr=subprocess.STDOUT, env=environment,
                    start_new_session=True,
                )  # fmt: skip
        print(f'(logs: {", ".join(map(str, logs.values()))})', flush=True)
        while running:
            time.sleep(0.1)
            for name, process in list(running.items()):
                ended = process.poll() is not None
                text = logs[name].read_text('utf-8', 'replace')
                # The last line may not be whole yet.
                text = text if ended else text.rpartition('\n')[0]
                lines = text.splitlines()
                for line in map(progress, lines[shown[name] :]):
                    if line:
                        print(f'  {METHODS[name]:<9}  {line}', flush=True)
                shown[name] = len(lines)
                if ended and process.returncode != 0:
                    raise StepError(
                        '\n'.join(['the end of the log of', *lines[-15:]])
                        + f'\n\n{shlex.join(jobs[name])}\nended with status '
                        f'{process.returncode}; its log is {logs[name]}'
                    )
                if ended:
                    del running[name]
    finally:
        for process in running.values():
            stop(process)


def quiet() -> dict[str, str]:
    """Return the environment of a step: no warnings, no buffered lines."""
    return {
        'PYTHONWARNINGS': 'ignore',
        **os.environ,
        'PYTHONUNBUFFERED': '1',
    }


def cores() -> int:
    """Return the number of processor cores that this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def progress(line: str) -> str:
    """Return a short form of a line of MMEngine's log; '' for most lines."""
    match = PROGRESS.search(line)
    if match is None:
        return ''
    mode, done, total, eta, rest = match.groups()
    text = f'{mode} {done:>{len(total)}}/{total}  {eta} to go'
    loss = LOSS.search(rest)
    return f'{text}  loss {float(loss.group(1)):.3f}' if loss else text


def stop(process: 'subprocess.Popen[bytes]') -> None:
    """End a process and those that it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def report(args: argparse.Namespace) -> None:
    """Print the table and write the sheet."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        import _demo_report

    runs = {
        title: args.out / method / 'predictions'
        for method, title in METHODS.items()
    }
    data, sheet = args.out / 'data', args.out / 'overview.png'
    results = _demo_report.read_results(data, runs)
    print('\n' + _demo_report.table(results), flush=True)
    _demo_report.write_sheet(sheet, data, results, rows=args.rows)
    print(f'\nPictures: {sheet}', flush=True)


if __name__ == '__main__':
    run_tool(main)
