"""Refine a folder of soft predictions by the edges of their images (PAR).

Pixel-adaptive refinement of AFA (eq. 8-10), in place of a dense CRF. MAPS has
heat maps of generate_heatmaps (NAME.npz) or arrays of floats C x H x W, such
as probabilities of any model (NAME.npy); IMAGES the images, by the same
names. OUT gets files of the same form and size.

  python -m mmseg_sparse refine_maps work_dirs/cam data/images work_dirs/par

A command that was stopped goes on when it is given again.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from _arguments import ProgressBar, fail


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('maps', type=Path, help='folder of predictions')
    parser.add_argument('images', type=Path, help='folder of images')
    parser.add_argument('out', type=Path, help='folder to make')
    parser.add_argument(
        '--dilations', type=int, nargs='+', default=[1, 2, 4, 8, 12, 24],
        metavar='PX', help='distances of the neighbours (default: 1 2 4 8 '
        '12 24)',
    )  # fmt: skip
    parser.add_argument(
        '--num-iters', type=int, default=10,
        help='iterations (default: %(default)s)',
    )  # fmt: skip
    for name, default, of in (
        ('w-rgb', 0.3, "width of the colours' kernel"),
        ('w-pos', 0.3, "width of the positions' kernel"),
        ('w-mix', 0.01, "weight of the positions' kernel"),
        ('scale', 1.0, "size to refine at, as a share of the image's"),
    ):
        parser.add_argument(
            f'--{name}', type=float, default=default,
            help=f'{of} (default: %(default)s)',
        )  # fmt: skip
    parser.add_argument(
        '--softmax', action='store_true',
        help='the arrays are logits: take their softmax first',
    )  # fmt: skip
    parser.add_argument(
        '--device', help='default: cuda:0 where there is one, or cpu'
    )
    parser.add_argument(
        '--overwrite', action='store_true',
        help='remove what this has written to OUT, and begin again',
    )  # fmt: skip
    return parser.parse_args()


def main() -> None:
    """Refine the folder."""
    args = parse_args()
    import mmseg_sparse  # noqa: F401  before anything of mmseg
    from mmseg_sparse.pseudo_labels.refine_maps import Refinement, refine_maps
    from mmseg_sparse.pseudo_labels.whole_images import best_device

    try:
        written, there = refine_maps(
            args.maps,
            args.images,
            args.out,
            Refinement(
                dilations=tuple(args.dilations),
                num_iters=args.num_iters,
                w_rgb=args.w_rgb,
                w_pos=args.w_pos,
                w_mix=args.w_mix,
                scale=args.scale,
                softmax=args.softmax,
            ),
            device=args.device or best_device(),
            overwrite=args.overwrite,
            progress=ProgressBar(),
        )
    except KeyboardInterrupt:
        sys.exit(
            f'refine_maps.py: interrupted; {args.out} can be gone on with'
        )
    except (OSError, ValueError) as error:
        fail(str(error))
    print(f'{args.out}: {written} written, {there} skipped')


if __name__ == '__main__':
    main()
