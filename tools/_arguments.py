"""What the command lines of the tools share.

Nothing heavy is imported here: ``--help`` and a mistyped path answer at once.
A tool that imports this prints names of files and classes on any terminal.
"""

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what mmseg's users know from both of its tools."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=KeyValue,
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


def print_anything() -> None:
    """Print signs that a terminal's encoding lacks as escapes.

    They would be an error otherwise, after all the work is done.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors='backslashreplace')


print_anything()


def fail(message: str) -> None:
    """End the program with one line on stderr."""
    sys.exit(f'{Path(sys.argv[0]).name}: error: {message}')


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
