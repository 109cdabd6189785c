"""Run the CUDA tests and the benchmarks at real sizes, print one table.

First the tests that need a GPU. Then the functions of benchmark_functional,
forward and backward, in float32 and bfloat16, beside a copy on the same
device that reads and writes as many bytes as the function's inputs and
results have. Then training steps, each beside that of its reference, in
float32 and in mixed precision with bfloat16. The table is Markdown, for
docs/performance.md. A row that fails shows its error, and the exit status is
then 1. What --limit leaves no time for is listed as not run.

--device cpu runs the same code without a GPU, for a trial at small sizes.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import benchmark_step
from benchmark_functional import CASES, Run, Sizes, peak_mib, seconds

ROOT = Path(__file__).resolve().parent.parent
PRECISIONS = ('float32', 'bfloat16')
#: A function -> by how much its maps are smaller than the image. The time of
#: these is quadratic in the pixels: BLPSeg averages the logits of a head with
#: stride 4, DenseCRFLoss works at half the size.
SMALLER = {'local_aggregate': 4, 'dense_crf_energy': 2}
_CAMVID = '_1xb8-2k_camvid-scribble-256x256.py'
_CE = f'baselines/ce_mit-b0_segformer{_CAMVID}'
_BLPSEG_CE = f'blpseg/ablations/blpseg-ce-noself_mit-b0_upernet{_CAMVID}'
#: A method -> its reference and its config, below configs/.
METHODS = {
    'Gated CRF': (_CE, f'baselines/gated_crf_mit-b0_segformer{_CAMVID}'),
    'SASFormer': (_CE, f'sasformer/sasformer_mit-b0_segformer{_CAMVID}'),
    'DFR': (_CE, f'dfr/dfr_mit-b0_segformer{_CAMVID}'),
    'BLPSeg': (_BLPSEG_CE, f'blpseg/blpseg_mit-b0_upernet{_CAMVID}'),
}
HEADINGS = ('', 'precision', 'time [ms]', 'peak [MiB]', 'GB/s', 'relative')


@dataclass(frozen=True)
class Row:
    """A row of the table; None leaves a cell empty."""

    name: str
    precision: str
    seconds: float | None = None
    peak_mib: float | None = None
    gb_per_s: float | None = None
    relative: str = ''
    error: str = ''

    def cells(self) -> tuple[str, ...]:
        """Return the text of each cell."""
        numbers = (
            None if self.seconds is None else 1e3 * self.seconds,
            self.peak_mib,
            self.gb_per_s,
        )
        shown = ('' if n is None else f'{n:.1f}' for n in numbers)
        return (
            self.name,
            self.precision,
            *shown,
            self.error or self.relative,
        )


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--device', default='cuda', help='default: %(default)s'
    )
    parser.add_argument(
        '--size', type=int, nargs=2, default=(512, 512),
        metavar=('HEIGHT', 'WIDTH'), help='of the images (default: 512 512)',
    )  # fmt: skip
    numbers = {
        'batch-size': (8, 'images'),
        'classes': (21, "classes of the functions' maps"),
        'channels': (64, 'channels of the feature'),
        'radius': (5, 'radius of the window'),
        'repeats': (10, 'runs of a function, pairs of training steps'),
        'limit': (400, 'seconds after which nothing new is started'),
    }
    for name, (default, text) in numbers.items():
        parser.add_argument(
            f'--{name}',
            type=int,
            default=default,
            help=f'{text} (default: %(default)s)',
        )
    parser.add_argument(
        '--no-tests', action='store_true', help='do not run the CUDA tests'
    )
    for name, known in (('functions', CASES), ('methods', METHODS)):
        parser.add_argument(
            f'--{name}', nargs='*', choices=tuple(known), default=list(known),
            metavar='NAME', help=f'of {", ".join(known)} (default: all)',
        )  # fmt: skip
    parser.add_argument('--out', help='write the figures to this JSON file')
    args = parser.parse_args(argv)
    for name in numbers:
        value = getattr(args, name.replace('-', '_'))
        if value < 1:
            parser.error(f'--{name} must be at least 1, got {value}')
    if min(args.size) < 1:
        parser.error(f'--size must be at least 1 1, got {tuple(args.size)}')
    return args


def check_device(device: str) -> None:
    """Exit with one sentence if there is no such device."""
    import torch

    if device.startswith('cuda') and not torch.cuda.is_available():
        build = torch.version.cuda
        raise SystemExit(
            f'no CUDA device found (torch {torch.__version__}, built '
            + (f'for CUDA {build}): ' if build else 'without CUDA): ')
            + 'run this on a machine with an NVIDIA GPU and a torch built '
            'for CUDA, or try it on the CPU: --device cpu --size 32 32 '
            '--batch-size 1'
        )


def run_tests(limit: float, tests: Path = ROOT / 'tests') -> tuple[bool, str]:
    """Run the tests marked ``cuda``; return success and pytest's last line.

    Only the files that use the mark are read, as importing all tests takes
    longer than running these.
    """
    files = sorted(
        path
        for path in tests.rglob('test_*.py')
        if 'pytest.mark.cuda' in path.read_text(encoding='utf-8')
    )
    command = [sys.executable, '-m', 'pytest', '-q', '-m', 'cuda', *files]
    try:
        done = subprocess.run(
            command, cwd=tests.parent, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=limit,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False, f'not finished in {limit:.0f} s'
    if done.returncode != 0:
        print(done.stdout, file=sys.stderr)
    lines = done.stdout.strip().splitlines() or ['no output']
    return done.returncode == 0, lines[-1].strip('= ')


def device_peak_mib(run: Run, device: str) -> float:
    """Return the peak of a run beside what was there before it."""
    import torch

    if not device.startswith('cuda'):
        return peak_mib(run)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    torch.cuda.synchronize()
    return (torch.cuda.max_memory_allocated() - before) / 2**20


def median_seconds(run: Run, device: str, repeats: int) -> float:
    """Return the median time of at most 5 seconds of runs, one at least."""
    taken: list[float] = []
    start = time.perf_counter()
    while not taken or (
        len(taken) < repeats and time.perf_counter() - start < 5
    ):
        taken.append(seconds(run, device.startswith('cuda')))
    return statistics.median(taken)


def copy_run(moved: int, device: str) -> Run:
    """Return a copy that reads and writes ``moved`` bytes together."""
    import torch

    source = torch.zeros(moved // 2, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return lambda: [target.copy_(source)]


def measure_function(name: str, sizes: Sizes, repeats: int) -> Row:
    """Measure a function of benchmark_functional."""
    smaller = SMALLER.get(name, 1)
    height, width = (-(-side // smaller) for side in sizes.size)
    sizes = replace(sizes, size=(height, width))
    case = CASES[name](sizes)
    results = case.ours()  # a warm-up, too
    moved = sum(
        tensor.numel() * tensor.element_size()
        for tensor in (*case.inputs, *results)
    )
    del results
    peak = device_peak_mib(case.ours, sizes.device)
    taken = median_seconds(case.ours, sizes.device, repeats)
    copy = copy_run(moved, sizes.device)
    copy()
    copied = median_seconds(copy, sizes.device, repeats)
    shape = '×'.join(map(str, case.inputs[0].shape))
    return Row(
        f'`{name}`, {shape}',
        sizes.dtype,
        taken,
        peak,
        moved / taken / 1e9,
        f'{taken / copied:.1f} × copy',
    )


def measure_steps(
    name: str, precision: str, args: argparse.Namespace
) -> tuple[Row, Row]:
    """Measure the training steps of a method and of its reference."""
    paths = [str(ROOT / 'configs' / path) for path in METHODS[name]]
    options = [
        *paths, '--steps', args.repeats, '--device', args.device,
        '--batch-size', args.batch_size, '--size', *args.size,
    ]  # fmt: skip
    if precision != 'float32':
        options += ['--amp', '--amp-dtype', precision]
    figures = benchmark_step.measure(
        benchmark_step.parse_args([str(option) for option in options])
    )
    summary = benchmark_step.summarise(figures)
    shape = '×'.join(str(n) for n in (args.batch_size, 3, *args.size))
    reference = f'CE of {name}'
    rows = [
        Row(f'step: {title}, {shape}', precision, one['median_wall_s'],
            one['peak_mib'])
        for title, one in zip((reference, name), figures, strict=True)
    ]  # fmt: skip
    ratio = summary['ratio']
    relative = f'{ratio["wall_s"]:.2f} × CE, memory {ratio["peak_mib"]:.2f}'
    return rows[0], replace(rows[1], relative=relative)


Job = tuple[str, str, Callable[[], Sequence[Row]]]


def jobs(args: argparse.Namespace) -> Iterator[Job]:
    """Yield the name, the precision and the work of what is to measure."""
    sizes = Sizes(
        args.batch_size, tuple(args.size), args.classes, args.channels,
        args.radius, args.device,
    )  # fmt: skip
    for name in args.functions:
        for dtype in PRECISIONS:
            wanted = replace(sizes, dtype=dtype)
            yield (
                f'`{name}`',
                dtype,
                lambda n=name, w=wanted: [
                    measure_function(n, w, args.repeats)
                ],
            )
    for name in args.methods:
        for dtype in PRECISIONS:
            yield (
                f'step: {name}',
                dtype,
                lambda n=name, d=dtype: measure_steps(n, d, args),
            )


def measure(args: argparse.Namespace, start: float) -> list[Row]:
    """Return all rows; one that fails or is too late says so."""
    import torch

    rows: list[Row] = []
    for name, precision, work in jobs(args):
        if time.monotonic() - start > args.limit:
            rows.append(Row(name, precision, relative='not run: no time left'))
            continue
        try:
            done: Sequence[Row] = work()
        except (RuntimeError, SystemExit) as error:
            reason = str(error).strip().splitlines() or [type(error).__name__]
            print(f'{name}, {precision}: {error}', file=sys.stderr)
            done = [Row(name, precision, error=f'failed: {reason[-1]}')]
        rows += done
        if args.device.startswith('cuda'):
            torch.cuda.empty_cache()
        for row in done:
            print('  '.join(row.cells()), file=sys.stderr, flush=True)
    return rows


def heading(args: argparse.Namespace) -> str:
    """Return a line with the hardware and the versions."""
    import torch

    if args.device.startswith('cuda'):
        name = torch.cuda.get_device_name(args.device)
        return f'{name}, CUDA {torch.version.cuda}, torch {torch.__version__}'
    return f'{args.device}, torch {torch.__version__}'


def markdown(rows: Sequence[Row]) -> str:
    """Return the table."""
    lines = [HEADINGS, ('---',) * len(HEADINGS)]
    lines += [row.cells() for row in rows]
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Test, measure, print the table, write the figures."""
    start = time.monotonic()
    args = parse_args(argv)
    check_device(args.device)
    passed, tests = True, 'not run'
    if not args.no_tests:
        passed, tests = run_tests(args.limit)
        print(f'CUDA tests: {tests}', file=sys.stderr, flush=True)
    rows = measure(args, start)
    print(f'\n{heading(args)}. CUDA tests: {tests}.\n\n{markdown(rows)}')
    if args.out:
        figures = dict(
            device=heading(args), tests=tests, rows=[asdict(r) for r in rows]
        )
        Path(args.out).write_text(json.dumps(figures, indent=1))
    if not passed or any(row.error for row in rows):
        sys.exit(1)


if __name__ == '__main__':
    main()
