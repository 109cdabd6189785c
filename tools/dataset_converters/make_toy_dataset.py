"""Make the toy data set: textured shapes on clutter, masks and strokes.

Writes images/{train,val}, masks/{train,val} and scribbles/train below OUT,
as index PNGs with 255 for "no label here", and strokes.xml, the strokes as the
annotation tool CVAT exports them. This takes seconds. An existing data set
that was made with the same arguments is kept.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _arguments import ProgressBar, fail, make_parser, run_tool


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__file__, __doc__)
    parser.add_argument(
        'out',
        nargs='?',
        type=Path,
        default=Path('work_dirs/demo/data'),
        help='folder to make (default: %(default)s)',
    )
    parser.add_argument(
        '--num-train',
        type=int,
        default=200,
        help='training images (default: %(default)s)',
    )
    parser.add_argument(
        '--num-val',
        type=int,
        default=100,
        help='validation images (default: %(default)s)',
    )
    parser.add_argument(
        '--seed',
        type=int,
        default=0,
        help='seed of the images (default: %(default)s)',
    )
    parser.add_argument(
        '--shapes',
        type=int,
        nargs=2,
        default=(2, 4),
        metavar=('LEAST', 'MOST'),
        help='least and largest number of shapes per image (default: 2 4)',
    )
    args = parser.parse_args(argv)
    least, most = args.shapes
    if not 1 <= least <= most:
        parser.error(
            f'wanted 1 <= LEAST <= MOST for --shapes, got {least} and {most}'
        )
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Make the data set."""
    args = parse_args(argv)
    from mmseg_sparse.labels.simulate.toy import make_toy_dataset
    from mmseg_sparse.labels.simulate.toy_scene import SceneStyle

    try:
        made = make_toy_dataset(
            args.out,
            num_train=args.num_train,
            num_val=args.num_val,
            seed=args.seed,
            style=SceneStyle(shapes=tuple(args.shapes)),
            progress=ProgressBar(),
        )
    except (OSError, ValueError) as error:
        fail(error)
    print(f'{args.out}: {"made" if made else "current, kept"}', flush=True)


if __name__ == '__main__':
    run_tool(main)
