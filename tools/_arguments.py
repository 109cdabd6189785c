"""What the command lines of the tools share.

Nothing heavy is imported here: ``--help`` and a mistyped path answer at once.
A tool that imports this prints names of files and classes on any terminal.
"""

import argparse
import io
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

CONFIGS = Path(__file__).resolve().parent.parent / 'configs'


class KeyValue(argparse.Action):
    """MMEngine's ``DictAction``, imported only when the option is used."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Merge ``KEY=VALUE ...`` into the namespace's dict."""
        from mmengine.config import DictAction

        for value in values or ():
            if '=' not in value:
                raise argparse.ArgumentError(
                    self, f'expected KEY=VALUE, got {value!r}'
                )
        action = DictAction(self.option_strings, self.dest, nargs='+')
        action(parser, namespace, values, option_string)


def make_parser(script: str, text: str | None) -> argparse.ArgumentParser:
    """Return the parser of a tool that ``text`` explains as it stands."""
    return argparse.ArgumentParser(
        prog=command(script),
        description=text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def at_least(least: float, kind: type = int) -> Callable[[str], Any]:
    """Return a reader of numbers that refuses smaller ones."""

    def read(text: str) -> Any:
        number = kind(text)
        if not number >= least:
            raise argparse.ArgumentTypeError(
                f'must be at least {least}, got {text}'
            )
        return number

    read.__name__ = kind.__name__
    return read


def add_config_argument(parser: argparse.ArgumentParser) -> None:
    """Add the config that ``find_config`` finds."""
    parser.add_argument(
        'config',
        help='path of a config, or the name of one of mmseg_sparse',
    )


def add_cfg_options(
    parser: argparse.ArgumentParser,
    text: str = 'override settings of the config',
) -> None:
    """Add the settings that ``load_config`` takes."""
    parser.add_argument(
        '--cfg-options', nargs='+', action=KeyValue, metavar='KEY=VALUE',
        help=text,
    )  # fmt: skip


def add_device_argument(parser: argparse.ArgumentParser) -> None:
    """Add the device of a model."""
    parser.add_argument(
        '--device',
        help='device of the model (default: cuda:0 if there is one, else cpu)',
    )


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what mmseg's users know from both of its tools."""
    add_cfg_options(
        parser,
        'override settings of the config; a list as key="[a,b]" or key=a,b, '
        'nested as key="[(a,b),(c,d)]", without white space',
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


def add_traceback_argument(parser: argparse.ArgumentParser) -> None:
    """Add what shows where an error came from."""
    parser.add_argument(
        '--traceback',
        action='store_true',
        help='show the Python traceback of an error; the log file of a run '
        'always contains it',
    )


def print_anything() -> None:
    """Print signs that a terminal's encoding lacks as escapes.

    They would be an error otherwise, after all the work is done.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors='backslashreplace')


print_anything()


def command(script: str) -> str:
    """Return how a tool is run, for its usage line."""
    return f'python -m mmseg_sparse {Path(script).stem}'


def one_line(error: Exception) -> str:
    """Return the text of an error on one line."""
    return ' '.join(str(error).split()) or type(error).__name__


def fail(message: str | Exception) -> NoReturn:
    """End the program with one line on stderr, as argparse does.

    What Python says about a file, ``[Errno 2] No such file: 'a'``, becomes
    ``a: No such file``.
    """
    if isinstance(message, Exception):
        message = one_line(message)
    message = re.sub(r"\[Errno \d+\] ([^:]+): '([^']*)'", r'\2: \1', message)
    sys.exit(f'{command(sys.argv[0])}: error: {message}')


def run_tool(main: Callable[[], int | None]) -> None:
    """Run a tool; at Ctrl-C it ends with one line and status 130.

    The line has the message of the ``KeyboardInterrupt``, if there is one.
    """
    try:
        status = main()
    except KeyboardInterrupt as error:
        words = f': {error}' if str(error) else ''
        tool = command(sys.argv[0])
        print(f'\n{tool}: interrupted{words}', file=sys.stderr)
        sys.exit(130)
    if status:
        sys.exit(status)


def find_config(name: str) -> str:
    """Return the path of a config: a file, or the name of a shipped one.

    As ``mim`` does, a path that does not exist is looked up by its last part
    among the configs that come with the package.
    """
    if Path(name).is_file():
        return name
    found = sorted(CONFIGS.rglob(Path(name).name))
    if len(found) != 1:
        fail(f'config not found: {name!r} is neither a file nor the name of '
             'a config that comes with mmseg_sparse')  # fmt: skip
    print(f'{name}: using the shipped config {found[0]}', flush=True)
    return str(found[0])


def check_checkpoint(path: str) -> None:
    """End the program unless ``path`` is a file or a URL."""
    if '://' not in path and not Path(path).is_file():
        fail(f'checkpoint not found: {path!r}')


def check_work_dir(path: str | None) -> None:
    """End the program if something other than a folder is in the way."""
    if path is not None and Path(path).exists() and not Path(path).is_dir():
        fail(f'--work-dir is not a folder: {path!r}')


#: Files that ``predict`` and ``suggest`` write of predictions.
PREDICTION_FORMATS = (
    'png', 'overlay', 'npy', 'labelme', 'cvat', 'coco', 'label-studio',
)  # fmt: skip


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what tools share that run a trained model and write a folder."""
    add_config_argument(parser)
    parser.add_argument('checkpoint', help='file of its checkpoint')
    add_device_argument(parser)
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='remove what this tool has written to OUT, and start again',
    )
    add_cfg_options(parser)


def add_generator_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what tools share that write files of a data set's images."""
    add_model_arguments(parser)
    parser.add_argument('out', help='folder to create or to continue')
    parser.add_argument(
        '--split',
        choices=('train', 'val', 'test'),
        default='train',
        help='data loader whose images are used (default: %(default)s)',
    )
    parser.add_argument(
        '--ann-file',
        metavar='FILE',
        help="list of images, instead of the data set's; relative to the data "
        "set's data_root, as in a config",
    )


def add_prediction_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what tools share that predict images without labels."""
    add_model_arguments(parser)
    parser.add_argument(
        'images', nargs='+', type=Path, help='images, or folders of them'
    )
    parser.add_argument('out', type=Path, help='folder to write')
    parser.add_argument(
        '--format', nargs='+', choices=PREDICTION_FORMATS, default=[],
        metavar='FORMAT', help='files of the predictions, see predict --help',
    )  # fmt: skip
    parser.add_argument(
        '--tta', action='store_true',
        help="average over sizes and mirror images, the config's "
        'tta_pipeline',
    )  # fmt: skip
    parser.add_argument(
        '--tile', type=at_least(0), nargs='?', const=0, metavar='PIXELS',
        help='predict in windows of this size whose overlaps are blended '
        '(default of PIXELS: the training crops; without --tile: '
        'only images that enter the network with more than 4 megapixels)',
    )  # fmt: skip


def load_generator_config(args: argparse.Namespace) -> Any:
    """Check such arguments and return the config."""
    args.config = find_config(args.config)
    if not Path(args.checkpoint).is_file():
        fail(f'checkpoint not found: {args.checkpoint!r}')
    return load_config(args.config, args.cfg_options)


def load_config(path: str, options: dict[str, Any] | None) -> Any:
    """Return a config with the settings of ``--cfg-options``."""
    import mmseg_sparse  # noqa: F401  before mmseg: it may be mmcv-lite

    # isort: split
    from mmengine.config import Config
    from mmseg.utils import register_all_modules

    from mmseg_sparse.engine.console import route_warnings

    route_warnings()
    register_all_modules(init_default_scope=True)
    try:
        cfg = Config.fromfile(path)
        if options:
            cfg.merge_from_dict(options)
    except Exception as error:  # a config is code
        fail(f'{path}: {one_line(error)}')
    return cfg


class ProgressBar:
    """MMEngine's bar on a terminal; a line now and then in a log.

    Called with (images done, images in all or None where that is not known)
    and, where several things are done, with what is done now.
    """

    def __init__(self) -> None:
        self.bar: Any = None
        self.what = ''
        self.next = 0.0

    def __call__(self, done: int, total: int | None, what: str = '') -> None:
        """Show the progress, at most ten times a second."""
        from mmengine import ProgressBar as Bar

        pause = 0.1 if sys.stdout.isatty() else 10
        if self.bar is None or what != self.what:
            self.finish()
            if what:
                print(what, flush=True)
            self.bar, self.what = Bar(total or 0, file=sys.stdout), what
            self.next = time.monotonic() + pause
        if done > self.bar.completed and (
            done == total or time.monotonic() >= self.next
        ):
            self.next = time.monotonic() + pause
            print(end='' if total and pause < 1 else '\n')
            self.bar.update(done - self.bar.completed)
        if done == total:
            self.finish()

    def finish(self) -> None:
        """End the line of the bar."""
        if self.bar is not None:
            print(flush=True)
        self.bar = None
