"""Export a trained model to a config and checkpoint of plain mmseg.

With OUT/config.py and OUT/checkpoint.pth, mmseg alone gives the same
predictions, bit for bit. Regularizers, optimizer state and training settings
are left out, because only training needs them.
"""

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _arguments import (
    add_config_argument,
    fail,
    find_config,
    make_parser,
    run_tool,
)

CONFIG_NAME = 'config.py'
CHECKPOINT_NAME = 'checkpoint.pth'


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__file__, __doc__)
    add_config_argument(parser)
    parser.add_argument('checkpoint', help='checkpoint of the training')
    parser.add_argument('out', help='folder for the two files')
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='replace files of those names in OUT',
    )
    return parser.parse_args(argv)


def check_paths(args: argparse.Namespace) -> None:
    """Check what can be checked before anything heavy is imported.

    Raises:
        FileNotFoundError: If an input is missing.
        FileExistsError: If an output would be overwritten.
    """
    args.config = find_config(args.config)
    if not Path(args.checkpoint).is_file():
        raise FileNotFoundError(f'CHECKPOINT not found: {args.checkpoint!r}')
    out = Path(args.out)
    if out.exists() and not out.is_dir():
        raise FileExistsError(f'OUT is not a folder: {args.out!r}')
    for name in (CONFIG_NAME, CHECKPOINT_NAME):
        if (out / name).exists() and not args.overwrite:
            raise FileExistsError(
                f'{str(out / name)!r} exists: --overwrite replaces it'
            )


def export(config: str, checkpoint: str, out: Path) -> list[str]:
    """Write both files, whole or not at all; return notes for the user."""
    import torch
    from mmengine.config import Config

    import mmseg_sparse  # noqa: F401
    from mmseg_sparse.engine.export import stock_checkpoint, stock_config
    from mmseg_sparse.engine.resume import load_from_local
    from mmseg_sparse.utils.atomic import write_all_whole

    cfg = Config.fromfile(config)
    stock, notes = stock_config(cfg)
    content = load_from_local(checkpoint, 'cpu', weights_only=True)
    file = io.BytesIO()
    torch.save(stock_checkpoint(cfg, stock, content), file)
    write_all_whole(
        {
            out / CHECKPOINT_NAME: file.getvalue(),
            out / CONFIG_NAME: stock.pretty_text.encode(),
        }
    )
    return notes


def main(argv: Sequence[str] | None = None) -> None:
    """Export."""
    args = parse_args(argv)
    out = Path(args.out)
    try:
        check_paths(args)
        notes = export(args.config, args.checkpoint, out)
    except (OSError, ValueError) as error:
        fail(error)
    for note in notes:
        print(f'note: {note}')
    print(f'{out / CONFIG_NAME}\n{out / CHECKPOINT_NAME}')


if __name__ == '__main__':
    run_tool(main)
