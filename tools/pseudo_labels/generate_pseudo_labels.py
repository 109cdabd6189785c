r"""Write what a trained model predicts as labels to train on.

Any segmentor of mmseg or mmseg_sparse; of an AFASegmentor also the labels that
it makes of the images' tags, step by step (--source).

  python -m mmseg_sparse generate_pseudo_labels CONFIG CHECKPOINT \
      data/pseudo/train --min-confidence 0.7

Writes OUT/NAME.png, index PNGs of the images' own size with the data set's
colours and 255 where the model is not sure enough, OUT/confidence/NAME.png,
255 times the probability of the label, and OUT/labels.json, which lists the
images for SparseSegDataset. Prints the lines of a config that train on them.

The images are those of CONFIG's data set, all of them and whole: loaded and
sized as in testing, with the tags and heat maps that the data set's own
pipeline loads. A command that was stopped goes on when it is given again;
labels of another config, checkpoint or other options are refused. The last
line says how many images were written and how many were there.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from _arguments import (
    ProgressBar,
    add_generator_arguments,
    fail,
    load_generator_config,
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_generator_arguments(parser)
    parser.add_argument(
        '--source',
        choices=(
            'prediction', 'cam', 'refined', 'propagated', 'final', 'labels',
        ),
        default='prediction',
        help='what the model predicts, or of an AFASegmentor what it makes of '
        'the tags: its activation maps, these refined, propagated, propagated '
        'and refined, or the labels that it trains on (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--min-confidence',
        type=float,
        default=0.0,
        metavar='P',
        help='pixels whose label is less probable get 255 (default: '
        '%(default)s, all have a label)',
    )
    parser.add_argument(
        '--no-confidence',
        action='store_true',
        help='leave OUT/confidence out',
    )
    parser.add_argument(
        '--filter-tags',
        action=argparse.BooleanOptionalAction,
        help="predict only classes that the image's tags name, and the "
        'background (default: with a HeatmapRefiner where an image has tags, '
        'else not)',
    )
    return parser.parse_args()


def main() -> None:
    """Write the labels."""
    args = parse_args()
    cfg = load_generator_config(args)
    from mmseg_sparse.pseudo_labels.write_labels import generate_pseudo_labels

    try:
        made = generate_pseudo_labels(
            cfg,
            args.checkpoint,
            args.out,
            split=args.split,
            ann_file=args.ann_file,
            source=args.source,
            min_confidence=args.min_confidence,
            confidence=not args.no_confidence,
            filter_tags=args.filter_tags,
            device=args.device,
            overwrite=args.overwrite,
            progress=ProgressBar(),
        )
    except KeyboardInterrupt:
        sys.exit(
            'generate_pseudo_labels.py: interrupted; the same command goes on'
        )
    except Exception as error:  # a config is code
        fail(' '.join(str(error).split()) or type(error).__name__)
    if made.unfiltered:
        print(f'{made.unfiltered} images have no tags and were not filtered')
    print(f'to train on them, with a pipeline:\n{made.config_text}')
    print(f'{args.out}: {made.written} written, {made.skipped} skipped')


if __name__ == '__main__':
    main()
