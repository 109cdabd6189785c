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

An interrupted command continues if it is run again.
"""

import argparse
from collections.abc import Sequence

from _arguments import (
    ProgressBar,
    add_prediction_arguments,
    at_least,
    fail,
    load_generator_config,
    make_parser,
    run_tool,
)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__file__, __doc__)
    add_prediction_arguments(parser)
    parser.add_argument(
        '--tolerance', type=at_least(0, float), default=1.0, metavar='PIXELS',
        help='distance by which polygons may be simplified; 0: exact '
        '(default: %(default)s)',
    )  # fmt: skip
    return parser.parse_intermixed_args(argv)


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
        fail(error)
    progress.finish()
    there = len(pictures) - written
    print(f'{args.out}: {written} images predicted, {there} were there')


if __name__ == '__main__':
    run_tool(main)
