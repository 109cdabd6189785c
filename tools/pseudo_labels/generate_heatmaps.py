r"""Write heat maps of a data set's images, for LoadHeatmaps to read.

Of a classifier of images (AFASegmentor, or another segmentor with an AFAHead)
they are class activation maps of the images' tags, at several scales; of any
other segmentor (HeatmapRefiner) the softmax of its prediction, in which
classes that the tags do not name are set to 0 (TRL, section 3.2, CLF).

  python -m mmseg_sparse generate_heatmaps CONFIG CHECKPOINT work_dirs/cam
  python -m mmseg_sparse generate_heatmaps CONFIG CHECKPOINT \
      work_dirs/cam_val --split val

The images are those of CONFIG's data set, all of them and whole: loaded and
sized as in testing, with the tags, label maps and heat maps that the data
set's own pipeline loads. Maps are of the image's own size, in float16, those
of present classes alone, in OUT/NAME.npz, folders below the folder of images
kept.

A command that was stopped goes on when it is given again. OUT/heatmaps.json
says which config, checkpoint and options the files are of, and others are
refused. The last line says how many files were written and how many were
there.
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
        choices=('auto', 'cam', 'prediction'),
        default='auto',
        help='class activation maps, or probabilities of the prediction; '
        'auto: activation maps where the model has them (default: '
        '%(default)s)',
    )
    parser.add_argument(
        '--background',
        type=float,
        metavar='SCORE',
        help='put a constant map of this score beside activation maps, as '
        'that of the background; the best map of a pixel is then its label '
        '(default: none, which reads as zeros)',
    )
    parser.add_argument(
        '--no-filter',
        action='store_true',
        help='of predictions: keep classes that the tags do not name '
        '(default: they are set to 0 where an image has tags)',
    )
    return parser.parse_args()


def main() -> None:
    """Write the heat maps."""
    args = parse_args()
    cfg = load_generator_config(args)
    from mmseg_sparse.pseudo_labels.write_heatmaps import generate_heatmaps

    try:
        made = generate_heatmaps(
            cfg,
            args.checkpoint,
            args.out,
            split=args.split,
            ann_file=args.ann_file,
            source=args.source,
            background=args.background,
            filter_tags=False if args.no_filter else None,
            device=args.device,
            overwrite=args.overwrite,
            progress=ProgressBar(),
        )
    except KeyboardInterrupt:
        sys.exit('generate_heatmaps.py: interrupted; the same command goes on')
    except Exception as error:  # a config is code
        fail(' '.join(str(error).split()) or type(error).__name__)
    if made.unfiltered and not args.no_filter:
        print(f'{made.unfiltered} images have no tags and were not filtered')
    print(f'read by: {made.config_text}')
    print(f'{args.out}: {made.written} written, {made.skipped} skipped')


if __name__ == '__main__':
    main()
