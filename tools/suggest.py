r"""Suggest where to draw the next strokes.

  python -m mmseg_sparse suggest CONFIG CHECKPOINT photos out
  python -m mmseg_sparse suggest CONFIG CHECKPOINT photos out \
      --labels labels --number 20 --format cvat

Ranks images, and regions in them, by what a stroke there would teach a model
that was trained on the strokes so far: where its prediction is unsure, of a
class that it rarely predicts, and far from the labels that are there. Images
that look like one another are not suggested together. Writes
  OUT/suggestions.csv  a line for each region
  OUT/images.txt       names of the images, best first
  OUT/sheet.png        the images with their regions outlined
With --group it ranks groups of images that you label together, such as the
slices of a patient, and lists all images of the best groups; the sheet shows
the best image of each.
With --format the predictions of these images are written to OUT/predictions,
as predict does it, to be corrected in your annotation tool.
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

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
        '--labels', type=Path, metavar='FOLDER',
        help='label maps so far, NAME.png for the image NAME',
    )  # fmt: skip
    parser.add_argument(
        '--number', type=at_least(1), default=10, metavar='N',
        help='images (with --group: groups) to suggest '
        '(default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--regions', type=at_least(1), default=3, metavar='N',
        help='regions in each of them (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--side', type=float, default=0.2, metavar='SHARE',
        help="side of a region, as a share of the image's shorter side "
        '(default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--by', choices=('margin', 'entropy', 'disagreement'),
        default='margin',
        help='measure of uncertainty; disagreement is that of the variants '
        'of --tta (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--group', metavar='REGEX',
        help="images in whose names this finds the same text are one group, "
        "for example 'patient[0-9]+'",
    )  # fmt: skip
    args = parser.parse_intermixed_args(argv)
    try:
        re.compile(args.group or '')
    except re.error as error:
        parser.error(f'--group: {error} in {args.group!r}')
    if args.labels is not None and not args.labels.is_dir():
        parser.error(f'--labels must be a folder, got {str(args.labels)!r}')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Suggest."""
    args = parse_args(argv)
    cfg = load_generator_config(args)
    from mmseg_sparse.prediction.suggest import suggest
    from mmseg_sparse.prediction.suggest_files import write_suggestions
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
        found = suggest(
            predictor, pictures, number=args.number, regions=args.regions,
            side=args.side, by=args.by, labels=args.labels,
            group=args.group, progress=progress,
        )  # fmt: skip
        write_suggestions(
            found, predictor.classes, args.out, overwrite=args.overwrite
        )
        if args.format:
            predict_images(
                cfg, predictor, args.checkpoint,
                [one.picture for one in found], args.out / 'predictions',
                args.format, overwrite=args.overwrite,
                options=dict(tta=args.tta, tile=args.tile),
            )  # fmt: skip
    except KeyboardInterrupt:
        progress.finish()
        raise KeyboardInterrupt('nothing was written') from None
    except (OSError, ValueError) as error:
        progress.finish()
        fail(error)
    progress.finish()
    groups = len({one.group for one in found})
    print(
        f'{args.out}: {len(found)} of {len(pictures)} images suggested'
        + (f', in {groups} groups' if args.group else '')
    )


if __name__ == '__main__':
    run_tool(main)
