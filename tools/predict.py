r"""Predict images that have no labels.

  python -m mmseg_sparse predict CONFIG CHECKPOINT photos out
  python -m mmseg_sparse predict CONFIG CHECKPOINT a.jpg b.jpg out \
      --format overlay cvat

Writes OUT/labels/NAME.png, index PNGs of the images' own size in the colours
of the classes, and OUT/confidence/NAME.png, 255 times the probability of the
label. --format adds
  overlay       OUT/overlay/NAME.png, image and prediction with a legend
  npy           OUT/probabilities/NAME.npy, float16, classes x height x width
  labelme       OUT/labelme/NAME.json
  cvat          OUT/cvat/annotations.xml, "CVAT for images 1.1"
  coco          OUT/coco/annotations.json
  label-studio  OUT/label-studio/annotations.json, tasks with annotations
The last four hold polygons, holes included, which import_labels reads back
to the same map within --tolerance.

A command that was stopped goes on when it is given again.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from _arguments import (
    KeyValue,
    ProgressBar,
    command,
    fail,
    load_generator_config,
    run_tool,
)

FORMATS = (
    'png', 'overlay', 'npy', 'labelme', 'cvat', 'coco', 'label-studio',
)  # fmt: skip


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog=command(__file__),
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'config', help='path of a config, or the name of a shipped one'
    )
    parser.add_argument('checkpoint', help='file of its checkpoint')
    parser.add_argument(
        'images', nargs='+', type=Path, help='images, or folders of them'
    )
    parser.add_argument(
        'out', type=Path, help='folder to make, or to go on with'
    )
    parser.add_argument(
        '--format', nargs='+', choices=FORMATS, default=[],
        metavar='FORMAT', help='more files to write, see above',
    )  # fmt: skip
    parser.add_argument(
        '--tta', action='store_true',
        help="average over sizes and mirror images, the config's "
        'tta_pipeline',
    )  # fmt: skip
    parser.add_argument(
        '--tile', type=int, nargs='?', const=0, metavar='PIXELS',
        help='predict in windows of this size, of which the overlaps are '
        'blended (default of PIXELS: the training crops; without --tile: '
        'only images that enter the network with more than 4 megapixels)',
    )  # fmt: skip
    parser.add_argument(
        '--tolerance', type=float, default=1.0, metavar='PIXELS',
        help='distance by which polygons may be simplified; 0: exact '
        '(default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--device', help='default: cuda:0 where there is one, or cpu'
    )
    parser.add_argument(
        '--overwrite', action='store_true',
        help='remove what this tool has written to OUT, and begin again',
    )  # fmt: skip
    parser.add_argument(
        '--cfg-options', nargs='+', action=KeyValue, metavar='KEY=VALUE',
        help='override settings of the config',
    )  # fmt: skip
    args = parser.parse_intermixed_args(argv)
    if args.tile is not None and args.tile < 0:
        parser.error(f'--tile must be at least 0, got {args.tile}')
    if args.tolerance < 0:
        parser.error(f'--tolerance must be at least 0, got {args.tolerance}')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Predict."""
    args = parse_args(argv)
    cfg = load_generator_config(args)
    from mmseg_sparse.prediction.write import (
        Predictor,
        find_pictures,
        predict_images,
    )

    progress = ProgressBar()
    try:
        pictures = find_pictures(args.images)
        predictor = Predictor(
            cfg, args.checkpoint, device=args.device, tta=args.tta,
            tile=args.tile,
        )  # fmt: skip
        written = predict_images(
            cfg, predictor, args.checkpoint, pictures, args.out, args.format,
            tolerance=args.tolerance, overwrite=args.overwrite,
            options=dict(tta=args.tta, tile=args.tile), progress=progress,
        )  # fmt: skip
    except KeyboardInterrupt:
        progress.finish()
        raise KeyboardInterrupt('the same command goes on') from None
    except (OSError, ValueError) as error:
        progress.finish()
        fail(' '.join(str(error).split()))
    progress.finish()
    there = len(pictures) - written
    print(f'{args.out}: {written} images predicted, {there} were there')


if __name__ == '__main__':
    run_tool(main)
