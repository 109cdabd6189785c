"""Export a trained model to ONNX, checked against PyTorch.

Writes OUT/model.onnx, which gives the logits of RGB images, and OUT/infer.py,
which needs only onnxruntime and numpy. Compares the logits of random images
with those of PyTorch; a difference above 1e-4 is an error. Needs
mmseg_sparse[onnx].
"""

import argparse
import logging
import sys
import warnings
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

MODEL_NAME, SCRIPT_NAME = 'model.onnx', 'infer.py'


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__file__, __doc__)
    add_config_argument(parser)
    parser.add_argument('checkpoint', help='checkpoint of the training')
    parser.add_argument('out', type=Path, help='folder for the two files')
    parser.add_argument(
        '--size', type=int, nargs=2, metavar=('HEIGHT', 'WIDTH'),
        help='size of the images, for models that need a fixed one '
        '(default: the training crops)',
    )  # fmt: skip
    parser.add_argument(
        '--preprocessing', action='store_true',
        help='take RGB values of 0 to 255 and normalise them in the model',
    )  # fmt: skip
    parser.add_argument(
        '--overwrite', action='store_true', help='replace the two files'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Export."""
    args = parse_args(argv)
    config = find_config(args.config)
    if not Path(args.checkpoint).is_file():
        fail(f'checkpoint not found: {args.checkpoint!r}')
    for name in (MODEL_NAME, SCRIPT_NAME):
        if (args.out / name).exists() and not args.overwrite:
            fail(f'{str(args.out / name)!r} exists: --overwrite replaces it')
    # Of the exporter, about its own parts and about torchvision.
    warnings.simplefilter('ignore')
    logging.getLogger('torch.onnx').setLevel(logging.ERROR)
    import mmseg_sparse  # noqa: F401

    # isort: split
    from mmengine.config import Config

    from mmseg_sparse.engine.onnx import export_onnx
    from mmseg_sparse.utils.atomic import write_all_whole

    try:
        made = export_onnx(
            Config.fromfile(config), args.checkpoint,
            size=tuple(args.size) if args.size else None,
            preprocessing=args.preprocessing,
        )  # fmt: skip
        write_all_whole({
            args.out / MODEL_NAME: made.content,
            args.out / SCRIPT_NAME: made.script.encode(),
        })  # fmt: skip
    except ImportError as error:
        fail(f'{error}: pip install "mmseg_sparse[onnx]"')
    except (OSError, ValueError) as error:
        fail(error)
    for note in made.notes:
        print(f'note: {note}')
    megabytes = len(made.content) / 2**20
    print(
        f'{args.out / MODEL_NAME}: {megabytes:.1f} MB; {made.varies} may '
        f'vary; logits differ from PyTorch by at most {made.difference:.2g}'
    )
    print(args.out / SCRIPT_NAME)


if __name__ == '__main__':
    run_tool(main)
