r"""Write pseudo labels or heat maps that a model predicts, or refine them.

  python -m mmseg_sparse generate pseudo-labels CONFIG CHECKPOINT \
      data/pseudo/train --min-confidence 0.7
  python -m mmseg_sparse generate heatmaps CONFIG CHECKPOINT work_dirs/cam
  python -m mmseg_sparse generate refine work_dirs/cam data/images \
      work_dirs/par

An interrupted command continues if it is run again. It stops with an error if
the files in OUT are of another config or checkpoint or of other options. The
last line says how many files were written and how many existed already.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from _arguments import (
    ProgressBar,
    add_device_argument,
    add_generator_arguments,
    fail,
    load_generator_config,
    make_parser,
    run_tool,
)

PSEUDO_LABELS = """Write the predictions of a model as labels for a training.

The model is any segmentor of mmseg or mmseg_sparse. An AFASegmentor also
computes labels from the images' tags; --source selects one of its steps.

Writes OUT/NAME.png, index PNGs of the images' own size with the data set's
colours and 255 where the model is not sure enough; OUT/confidence/NAME.png,
255 times the probability of the label; and OUT/labels.json, which lists the
images for SparseSegDataset. Prints the lines of a config that train on them.

All images of CONFIG's data set are used, uncropped. They are loaded and
resized as in testing, with the tags and heat maps that the data set's own
pipeline loads.
"""
HEATMAPS = """Write heat maps of a data set's images, for LoadHeatmaps to read.

An image classifier (AFASegmentor, or another segmentor with an AFAHead) gives
class activation maps for the images' tags, merged over several scales. Any
other segmentor (such as HeatmapRefiner) gives the softmax of its prediction,
in which classes that are not among the tags are set to 0 (TRL, section 3.2,
CLF).

All images of CONFIG's data set are used, uncropped. They are loaded and
resized as in testing, with the tags, label maps and heat maps that the data
set's own pipeline loads. OUT/NAME.npz holds the maps of the classes that are
present, in the size of the image and in float16; NAME includes subfolders of
the folder of images. OUT/heatmaps.json records config, checkpoint and options.
"""
REFINE = """Align soft predictions with the edges in their images.

By the pixel-adaptive refinement of AFA (eq. 8-10), or by a dense CRF
(Kraehenbuehl and Koltun, NeurIPS 2011, mean field), which on a CPU is far
slower: its time grows with the square of the number of pixels. MAPS holds
files of `generate heatmaps` (NAME.npz), or float arrays C x H x W, such as
probabilities of any model (NAME.npy). IMAGES holds images of the same names.
The files in OUT have the format and size of those in MAPS.

The defaults of the numbers are those of PixelAdaptiveRefinement and DenseCRF.
"""

#: The settings of each --refiner.
REFINERS = {
    'par': ('dilations', 'num_iters', 'w_rgb', 'w_pos', 'w_mix', 'scale'),
    'crf': (
        'num_iters', 'sigma_rgb', 'sigma_xy', 'weight', 'smooth_sigma',
        'smooth_weight', 'scale',
    ),
}  # fmt: skip


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__file__, __doc__)
    commands = parser.add_subparsers(required=True, metavar='COMMAND')
    for name, text, add, run in (
        ('pseudo-labels', PSEUDO_LABELS, add_label_arguments, write_labels),
        ('heatmaps', HEATMAPS, add_heatmap_arguments, write_heatmaps),
        ('refine', REFINE, add_refine_arguments, refine),
    ):
        sub = commands.add_parser(
            name,
            help=text.partition('\n')[0],
            description=text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        add(sub)
        sub.set_defaults(run=run)
    return parser.parse_args(argv)


def add_label_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``pseudo-labels``."""
    add_generator_arguments(parser)
    parser.add_argument(
        '--source',
        choices=(
            'prediction', 'cam', 'refined', 'propagated', 'final', 'labels',
        ),
        default='prediction',
        help="the model's prediction, or one of the labels that an "
        'AFASegmentor computes from the tags: from its activation maps (cam), '
        'these after PAR (refined), after the random walk (propagated), after '
        'both (final), or those that it is trained on (labels) (default: '
        '%(default)s)',
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
        help='do not write OUT/confidence',
    )
    parser.add_argument(
        '--filter-tags',
        action=argparse.BooleanOptionalAction,
        help='predict only the background and classes that are among the '
        "image's tags (default: only with a HeatmapRefiner, if an image has "
        'tags)',
    )


def add_heatmap_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``heatmaps``."""
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
        help='add a constant map of this score for the background to '
        'activation maps, so that the argmax over the maps is a label '
        '(default: none; the map of the background is then read as zeros)',
    )
    parser.add_argument(
        '--no-filter',
        action='store_true',
        help='keep classes in predictions that are not among the tags '
        '(default: they are set to 0 if an image has tags)',
    )


def add_refine_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``refine``."""
    parser.add_argument('maps', type=Path, help='folder of predictions')
    parser.add_argument('images', type=Path, help='folder of images')
    parser.add_argument(
        'out', type=Path, help='folder to create or to continue'
    )
    parser.add_argument(
        '--refiner', choices=tuple(REFINERS), default='par',
        help='pixel-adaptive refinement or the CRF (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--dilations', type=int, nargs='+', metavar='PX',
        help='par: distances of the neighbours',
    )  # fmt: skip
    parser.add_argument('--num-iters', type=int, help='iterations')
    for name, meaning in (
        ('scale', 'size of the maps during refinement, relative to the image'),
        ('w-rgb', "par: width of the colours' kernel"),
        ('w-pos', "par: width of the positions' kernel"),
        ('w-mix', "par: weight of the positions' kernel"),
        ('sigma-rgb', 'crf: width of the first kernel in colours, 0 to 255'),
        ('sigma-xy', 'crf: width of the first kernel in pixels of the image'),
        ('weight', 'crf: weight of the first kernel'),
        ('smooth-sigma', 'crf: width of the kernel of positions in pixels'),
        ('smooth-weight', 'crf: weight of the kernel of positions'),
    ):
        parser.add_argument(f'--{name}', type=float, help=meaning)
    parser.add_argument(
        '--softmax', action='store_true',
        help='the arrays are logits: take their softmax first',
    )  # fmt: skip
    add_device_argument(parser)
    parser.add_argument(
        '--overwrite', action='store_true',
        help='remove what this tool has written to OUT, and start again',
    )  # fmt: skip


def write_labels(args: argparse.Namespace) -> None:
    """Write pseudo labels."""
    cfg = load_generator_config(args)
    from mmseg_sparse.pseudo_labels.write_labels import Labels

    sink = Labels(
        source=args.source,
        min_confidence=args.min_confidence,
        confidence=not args.no_confidence,
        filter_tags=args.filter_tags,
    )
    made = generate(args, cfg, sink)
    if made.unfiltered:
        print(f'{made.unfiltered} images have no tags and were not filtered')
    print(f'to train on them, with a pipeline:\n{made.config_text}')
    print(f'{args.out}: {made.written} written, {made.skipped} skipped')


def write_heatmaps(args: argparse.Namespace) -> None:
    """Write heat maps."""
    cfg = load_generator_config(args)
    from mmseg_sparse.pseudo_labels.write_heatmaps import HeatMaps

    sink = HeatMaps(
        source=args.source,
        background=args.background,
        filter_tags=False if args.no_filter else None,
    )
    made = generate(args, cfg, sink)
    if made.unfiltered and not args.no_filter:
        print(f'{made.unfiltered} images have no tags and were not filtered')
    print(f'read by: {made.config_text}')
    print(f'{args.out}: {made.written} written, {made.skipped} skipped')


def generate(args: argparse.Namespace, cfg: Any, sink: Any) -> Any:
    """Run the model of a config."""
    from mmseg_sparse.pseudo_labels.write import generate

    return generate(
        cfg,
        args.checkpoint,
        args.out,
        sink,
        split=args.split,
        ann_file=args.ann_file,
        device=args.device,
        overwrite=args.overwrite,
        progress=ProgressBar(),
    )


def refine(args: argparse.Namespace) -> None:
    """Refine a folder."""
    import mmseg_sparse  # noqa: F401  before anything of mmseg
    from mmseg_sparse.models.refiners import DenseCRF, PixelAdaptiveRefinement
    from mmseg_sparse.pseudo_labels.refine_maps import refine_maps
    from mmseg_sparse.pseudo_labels.whole_images import best_device

    given = {
        name: value
        for names in REFINERS.values()
        for name in names
        if (value := getattr(args, name)) is not None
    }
    for name in given:
        if name not in REFINERS[args.refiner]:
            raise ValueError(
                f'--{name.replace("_", "-")} is no setting of --refiner '
                f'{args.refiner}: leave it out or choose the other refiner'
            )
    written, there = refine_maps(
        args.maps,
        args.images,
        args.out,
        (DenseCRF if args.refiner == 'crf' else PixelAdaptiveRefinement)(
            **given
        ),
        softmax=args.softmax,
        device=args.device or best_device(),
        overwrite=args.overwrite,
        progress=ProgressBar(),
    )
    print(f'{args.out}: {written} written, {there} skipped')


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command that is named."""
    args = parse_args(argv)
    try:
        args.run(args)
    except KeyboardInterrupt:
        raise KeyboardInterrupt('the same command goes on') from None
    except Exception as error:  # a config is code
        fail(error)


def old_name(old: str, name: str, argv: Sequence[str] | None = None) -> None:
    """Run a command by the name that it had as a tool."""
    print(
        f'DeprecationWarning: {old} is now called `python -m mmseg_sparse '
        f'generate {name}`; the old name goes in the next release',
        file=sys.stderr,
    )
    main([name, *(sys.argv[1:] if argv is None else argv)])


if __name__ == '__main__':
    run_tool(main)
