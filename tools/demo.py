"""Train on strokes in a few minutes, without data, downloads or a GPU.

Makes the toy data set, trains a small MiT on its scribbles, once with plain
cross entropy and once with SASFormer's affinity loss (same model, data,
schedule and seed, side by side), tests both on dense masks, and leaves a
table and a sheet of pictures. Training and testing go through `mim`.
"""

import argparse
import os
import queue
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

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


@dataclass
class Job:
    """A command that runs, its log and the name that its lines get."""

    name: str
    command: list[str]
    log: Path
    process: 'subprocess.Popen[str] | None' = None


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=DEFAULT_OUT,
        help='folder for data, runs and the sheet (default: %(default)s)',
    )
    parser.add_argument(
        '--iters',
        type=at_least(2),
        help="training iterations, 2 or more (default: the configs')",
    )
    parser.add_argument(
        '--seed',
        type=int,
        default=0,
        help='seed of both trainings (default: %(default)s)',
    )
    parser.add_argument(
        '--rows',
        type=at_least(1),
        default=6,
        help='images on the sheet (default: %(default)s)',
    )
    parser.add_argument(
        '--num-train',
        type=at_least(1),
        default=200,
        help='training images (default: %(default)s)',
    )
    parser.add_argument(
        '--num-val',
        type=at_least(1),
        default=100,
        help='validation images (default: %(default)s)',
    )
    return parser.parse_args()


def at_least(least: int) -> Callable[[str], int]:
    """Return a reader of integers that refuses smaller ones."""

    def integer(text: str) -> int:
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(
                f'must be at least {least}, got {text}'
            )
        return number

    return integer


def main() -> int:
    """Run the demo; 1 if a step failed."""
    args = parse_args()
    start = time.monotonic()
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        data = args.out / 'data'
        step(1, 'toy data set', start)
        make_data(args, data)
        step(2, 'train on scribbles, both side by side', start)
        run_jobs([train_job(args, method, data) for method in METHODS])
        step(3, 'test on dense masks', start)
        run_jobs([test_job(args, method, data) for method in METHODS])
        step(4, 'table and pictures', start)
        report(args, data)
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


def make_data(args: argparse.Namespace, data: Path) -> None:
    """Make the data set, or keep the one there."""
    command = [sys.executable, str(TOOLS / MAKE_DATA), str(data)]
    command += ['--num-train', str(args.num_train)]
    command += ['--num-val', str(args.num_val)]
    print('$ ' + shlex.join(command), flush=True)
    status = subprocess.run(command, check=False, env=quiet()).returncode
    if status != 0:
        raise StepError(
            f'making the data ended with status {status}: '
            + shlex.join(command)
        )


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


def train_job(args: argparse.Namespace, method: str, data: Path) -> Job:
    """Return the training of one method."""
    run = args.out / method
    options = [f'randomness.seed={args.seed}', *data_options(data)]
    if args.iters is not None:
        warm_up = min(50, args.iters // 2)
        options += [
            f'train_cfg.max_iters={args.iters}',
            f'train_cfg.val_interval={args.iters}',
            f'param_scheduler.0.end={warm_up}',
            f'param_scheduler.1.begin={warm_up}',
            f'param_scheduler.1.end={args.iters}',
        ]
    command = [*mim('train', method), '--work-dir', str(run)]
    command += ['--cfg-options', *options]
    return Job(METHODS[method], command, args.out / f'{method}_train.log')


def test_job(args: argparse.Namespace, method: str, data: Path) -> Job:
    """Return the test of one method's last checkpoint."""
    run = args.out / method
    checkpoint = Path((run / 'last_checkpoint').read_text().strip())
    command = [*mim('test', method), '--checkpoint', str(checkpoint)]
    command += ['--work-dir', str(run / 'test')]
    command += ['--out', str(run / 'predictions')]
    options = data_options(data)
    if options:
        command += ['--cfg-options', *options]
    return Job(METHODS[method], command, args.out / f'{method}_test.log')


def data_options(data: Path) -> list[str]:
    """Return where the config finds its data, if not where it says."""
    if data == DEFAULT_OUT / 'data':
        return []
    return [
        f'{split}_dataloader.dataset.data_root={data}'
        for split in ('train', 'val', 'test')
    ]


def report(args: argparse.Namespace, data: Path) -> None:
    """Print the table and write the sheet."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        import _demo_report

    runs = {
        title: args.out / method / 'predictions'
        for method, title in METHODS.items()
    }
    results = _demo_report.read_results(data, runs)
    print('\n' + _demo_report.table(results), flush=True)
    path = args.out / 'overview.png'
    _demo_report.write_sheet(path, data, results, rows=args.rows)
    print(f'\nPictures: {path}', flush=True)


def run_jobs(jobs: list[Job]) -> None:
    """Run jobs side by side, with a line of progress now and then.

    Raises:
        StepError: If one fails; the others are stopped.
    """
    # A core each: small models gain little from several threads.
    threads = max(1, cores() // len(jobs))
    environment = {'OMP_NUM_THREADS': str(threads), **quiet()}
    lines: queue.SimpleQueue[tuple[Job, str | None]] = queue.SimpleQueue()
    try:
        for job in jobs:
            print('$ ' + shlex.join(job.command), flush=True)
            job.process = subprocess.Popen(
                job.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors='replace',
                env=environment,
                start_new_session=True,
            )
            threading.Thread(
                target=follow, args=(job, lines), daemon=True
            ).start()
        print(f'(logs: {", ".join(str(job.log) for job in jobs)})', flush=True)
        watch(jobs, lines)
    finally:
        stop(jobs)


def quiet() -> dict[str, str]:
    """Return the environment of a step: no warnings, no held back lines."""
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


def follow(
    job: Job, lines: 'queue.SimpleQueue[tuple[Job, str | None]]'
) -> None:
    """Copy a job's output into its log and the queue; None ends it."""
    assert job.process is not None
    assert job.process.stdout is not None
    with job.log.open('w', encoding='utf-8') as log:
        for line in job.process.stdout:
            log.write(line)
            log.flush()
            lines.put((job, line.rstrip()))
    job.process.wait()
    lines.put((job, None))


def watch(
    jobs: list[Job], lines: 'queue.SimpleQueue[tuple[Job, str | None]]'
) -> None:
    """Print progress until all jobs are done; raise if one failed."""
    running = len(jobs)
    while running:
        job, line = lines.get()
        if line is not None:
            shown = progress(line)
            if shown:
                print(f'  {job.name:<9}  {shown}', flush=True)
            continue
        running -= 1
        assert job.process is not None
        if job.process.returncode != 0:
            tail = job.log.read_text('utf-8', 'replace').splitlines()[-15:]
            raise StepError(
                '\n'.join(['the end of the log of', *tail])
                + f'\n\n{shlex.join(job.command)}\nended with status '
                f'{job.process.returncode}; its log is {job.log}'
            )


def progress(line: str) -> str:
    """Return a short form of a line of MMEngine's log; '' for most lines."""
    match = PROGRESS.search(line)
    if match is None:
        return ''
    mode, done, total, eta, rest = match.groups()
    text = f'{mode} {done:>{len(total)}}/{total}  {eta} to go'
    loss = LOSS.search(rest)
    return f'{text}  loss {float(loss.group(1)):.3f}' if loss else text


def stop(jobs: list[Job]) -> None:
    """End what still runs, with all it started."""
    for job in jobs:
        if job.process is not None and job.process.poll() is None:
            os.killpg(job.process.pid, signal.SIGTERM)
            try:
                job.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(job.process.pid, signal.SIGKILL)
                job.process.wait()


if __name__ == '__main__':
    sys.exit(main())
