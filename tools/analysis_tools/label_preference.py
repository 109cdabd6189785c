"""Plot how far labels lie from boundaries, and how a BLPSeg model weighs them.

Takes the images of a config's data set with their sparse labels and dense
masks, and a checkpoint whose decode head has a scribble branch (BLPHead).
Writes to OUT

  distribution.png, .csv  the distribution of the relative distance to the
                          boundary: of all pixels, of the labelled pixels, and
                          of all pixels weighted by annotation probability and
                          by segmentation probability (BLPSeg, figures 1, 7a)
  precision.png, .csv     share of correct pixels by relative distance (7b)
  pictures.png            strokes, annotation probability, segmentation
                          probability, modulating factor delta and BLP loss
                          of a few images (figures 5 and 8)
  summary.json            the means, and the models and images compared

The relative distance of a pixel is its distance to the boundary of its region
in the mask, divided by the largest such distance of its class in the image.
The histograms have 20 bins. Void pixels are left out, and so are classes that
fill an image, because these have no boundary.

The test pipeline prepares each image, and test_cfg says whether the model sees
it whole or in a sliding window. The logits of both branches are resized to the
size of the image, which must be the size of the mask, before the softmax. The
weight of a pixel is its largest probability; for the annotation probability,
the largest among the classes without "no label". In the pictures, delta and
loss are computed for the class of the label and, where there is none, for the
predicted class, as in self-training but without a threshold.
"""

import argparse
import csv
import io
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from _arguments import (
    ProgressBar,
    add_cfg_options,
    add_config_argument,
    add_device_argument,
    at_least,
    check_checkpoint,
    fail,
    find_config,
    load_config,
    make_parser,
    run_tool,
)

if TYPE_CHECKING:
    from mmseg_sparse.doctor import LabelSet
    from mmseg_sparse.evaluation import Measured, Predictor, PreferenceAnalysis
    from mmseg_sparse.visualization.label_preference import Curve

SPLITS = ('train', 'val', 'test')
TABLES = ('distribution.png', 'distribution.csv', 'precision.png',
          'precision.csv', 'summary.json')  # fmt: skip
PICTURES = 'pictures.png'
#: Colours of the curves of one model after the other.
COLORS = ('#1f5fae', '#d07a00', '#6a3d9a', '#008b8b', '#8b5a2b')


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__file__, __doc__)
    add_config_argument(parser)
    parser.add_argument('checkpoint', help='its checkpoint, a file or a URL')
    parser.add_argument(
        '--baseline', nargs=2, action='append', default=[],
        metavar=('CONFIG', 'CHECKPOINT'),
        help='another model for the same plots, with the same classes and '
        'any head; may be given several times',
    )  # fmt: skip
    parser.add_argument(
        '--masks', metavar='DIR',
        help='dense masks of the same names as the labels (default: a folder '
        'such as masks beside the labels)',
    )  # fmt: skip
    parser.add_argument(
        '--split', choices=SPLITS, default='train',
        help='which data set of the config; where no masks are found for the '
        'labels of val and test, these labels are taken as the masks, and no '
        'curve of labels is drawn (default: %(default)s)',
    )  # fmt: skip
    add_options(parser)
    args = parser.parse_args(argv)
    if args.masks is not None and not Path(args.masks).is_dir():
        parser.error(f'--masks: no folder {args.masks!r}')
    return args


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what says how many images are used, and where the files go."""
    parser.add_argument(
        '--limit', type=at_least(1), metavar='N',
        help='use only N images, chosen at random by --seed (default: all)',
    )  # fmt: skip
    parser.add_argument(
        '--seed',
        type=at_least(0),
        default=0,
        help='seed of --limit (default: %(default)s)',
    )
    parser.add_argument(
        '--pictures', type=at_least(0), default=4, metavar='N',
        help='number of images on the sheet, spread evenly; 0: no sheet '
        '(default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--width', type=at_least(32), default=320, metavar='PX',
        help='width of a picture on the sheet (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--gamma', type=at_least(0, float),
        help="exponent of delta (default: that of the config's BLPLoss, or 2)",
    )  # fmt: skip
    add_device_argument(parser)
    parser.add_argument(
        '--out', type=Path, metavar='DIR',
        help='folder to make (default: '
        'work_dirs/label_preference/CONFIG-SPLIT)',
    )  # fmt: skip
    parser.add_argument(
        '--overwrite', action='store_true',
        help='replace files of the same names in OUT',
    )  # fmt: skip
    add_cfg_options(
        parser, 'override settings of the config, not of baselines'
    )


def load_model(cfg: Any, checkpoint: str, device: str) -> 'Predictor':
    """Return the predictor of a config's model.

    Raises:
        ValueError: If the config has no test data set to say how images are
            prepared, or the checkpoint is not one of its model.
    """
    from mmengine.runner import load_checkpoint
    from mmseg.apis import init_model

    from mmseg_sparse.evaluation import Predictor

    loader = cfg.get('test_dataloader') or cfg.get('val_dataloader') or {}
    dataset = loader.get('dataset') or {}
    while not dataset.get('pipeline') and (
        dataset.get('dataset') or dataset.get('datasets')
    ):
        dataset = dataset.get('dataset') or dataset['datasets'][0]
    pipeline = dataset.get('pipeline') or cfg.get('test_pipeline')
    if not pipeline:
        raise ValueError(
            'expected a test_dataloader.dataset.pipeline, got none'
        )
    model = init_model(cfg, None, device='cpu')
    try:
        load_checkpoint(model, checkpoint, map_location='cpu', strict=True)
    except RuntimeError as error:
        raise ValueError(
            f'{checkpoint} is not a checkpoint of it: {one_line(error)}'
        ) from error
    return Predictor(model.to(device), pipeline)


def one_line(error: Exception, length: int = 300) -> str:
    """Return the text of an error on one line."""
    text = ' '.join(str(error).split()) or type(error).__name__
    return text if len(text) <= length else text[: length - 3] + '...'


def short_names(paths: Sequence[str]) -> list[str]:
    """Return a name for each config: its method, where methods differ."""
    stems = [Path(path).stem for path in paths]
    names = [stem.partition('_')[0] for stem in stems]
    if len(set(names)) < len(names):
        names = stems
    seen: dict[str, int] = {}
    for index, name in enumerate(names):
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            names[index] = f'{name} ({seen[name]})'
    return names


def load_models(
    args: argparse.Namespace, path: str, cfg: Any
) -> 'list[Measured]':
    """Return the model and the baselines."""
    import torch
    from mmengine.config import Config

    from mmseg_sparse.evaluation import Measured

    device = args.device
    if device is None:
        device = 'cuda:0' if torch.cuda.is_available() else 'cpu'
    wanted = [(path, args.checkpoint)]
    wanted += [(find_config(c), w) for c, w in args.baseline]
    models: list[Measured] = []
    for name, (config, checkpoint) in zip(
        short_names([config for config, _ in wanted]), wanted, strict=True
    ):
        try:
            settings = Config.fromfile(config) if models else cfg
            predictor = load_model(settings, checkpoint, device)
            if not models and not predictor.has_scribble_branch:
                raise ValueError(
                    'expected a BLPHead with scribble_loss=True, got a '
                    f'{type(predictor.head).__name__}: it has no scribble '
                    'branch, and can only be a --baseline'
                )
        except Exception as error:  # a config is code
            fail(f'{config}: {one_line(error)}')
        models.append(Measured(name, predictor))
    return models


def load_items(args: argparse.Namespace, cfg: Any) -> 'LabelSet':
    """Return the data set with the images to use."""
    import numpy as np

    from mmseg_sparse.doctor import from_config

    data = from_config(cfg, args.split, dense=args.masks)
    if data.refused:
        raise ValueError(data.refused[0])
    if not data.items:
        raise ValueError(f'the {args.split} data set has no images')
    if args.split == 'train' and not any(i.dense for i in data.items):
        raise ValueError(
            f'no dense masks beside the labels of {data.items[0].name}: name '
            'their folder by --masks'
        )
    number = len(data.items)
    if args.limit is not None and args.limit < number:
        rng = np.random.default_rng(args.seed)
        chosen = sorted(rng.choice(number, args.limit, replace=False).tolist())
        data.items = [data.items[index] for index in chosen]
    print(f'{len(data.items)} of {number} images of the {args.split} data set',
          flush=True)  # fmt: skip
    return data


def gamma_of(predictor: 'Predictor') -> float:
    """Return the exponent of the head's BLP loss, or else the paper's."""
    from mmseg_sparse.models.losses import BLPLoss

    losses = predictor.head.loss_decode
    for loss in losses if isinstance(losses, Iterable) else [losses]:
        if isinstance(loss, BLPLoss):
            return loss.gamma
    return 2.0


def analyse(
    models: 'list[Measured]', data: 'LabelSet', pictures: int, gamma: float
) -> 'PreferenceAnalysis':
    """Run the models over the images and count.

    Raises:
        ValueError: If labels, masks, images and models do not fit each
            other, or no pixel counts.
    """
    import numpy as np

    from mmseg_sparse.evaluation import PreferenceAnalysis

    spread = np.linspace(0, len(data.items) - 1, pictures)
    shown = set(spread.round().astype(int).tolist())
    found = PreferenceAnalysis(
        models, len(data.classes), gamma,
        labels_are_dense=data.split != 'train',
    )  # fmt: skip
    bar = ProgressBar()
    for number, item in enumerate(data.items):
        found.add(item, keep_maps=number in shown)
        bar(number + 1, len(data.items))
    found.check()
    return found


def curves(found: 'PreferenceAnalysis') -> 'dict[str, Curve]':
    """Return the curves of the distributions by their names in tables."""
    from mmseg_sparse.visualization.label_preference import Curve

    looks = {'mask_labels': ('mask labels', '#c8c8c8'),
             'scribble_labels': ('sparse labels', '#c8102e')}  # fmt: skip
    for index, model in enumerate(found.models):
        for kind in ('annotation', 'segmentation'):
            looks[f'{kind}_probability {model.name}'] = (
                f'{kind} probability, {model.name}',
                COLORS[index % len(COLORS)],
            )
    return {
        key: Curve(
            f'{looks[key][0]}, mean {counted.mean():.2f}', counted.shares(),
            looks[key][1], filled=key == 'mask_labels',
            dashed=key.startswith('segmentation'),
        )
        for key, counted in found.distributions().items()
    }  # fmt: skip


def render(
    found: 'PreferenceAnalysis', data: 'LabelSet', title: str, width: int
) -> dict[str, bytes]:
    """Return the plots, tables and pictures by file name."""
    from mmseg_sparse.visualization import encode_png
    from mmseg_sparse.visualization.label_preference import (
        Curve,
        plot_distributions,
        plot_precision,
    )

    distributions = curves(found)
    precision = [
        Curve(f'{m.name}, of all {100 * m.precision.overall():.1f} %',
              m.precision.values(), COLORS[i % len(COLORS)])
        for i, m in enumerate(found.models)
    ]  # fmt: skip
    contents = {
        'distribution.png': encode_png(
            plot_distributions(list(distributions.values()), title)
        ),
        'distribution.csv': table(
            {name: curve.values for name, curve in distributions.items()}
        ),
        'precision.png': encode_png(plot_precision(precision, title)),
        'precision.csv': table(
            {'pixels': found.models[0].precision.pixels}
            | {m.name: m.precision.values() for m in found.models}
        ),
    }
    if found.maps:
        contents[PICTURES] = encode_png(
            draw_pictures(found, data, width, title)
        )
    return contents


def table(columns: dict[str, Any]) -> bytes:
    """Return a CSV of columns, one value a bin; NaN is left empty."""
    import numpy as np

    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(['above', 'up_to', *columns])
    bins = len(next(iter(columns.values())))
    for k, values in enumerate(zip(*columns.values(), strict=True)):
        row = [f'{k / bins:g}', f'{(k + 1) / bins:g}']
        for value in values:
            number = f'{value:.6f}' if isinstance(value, float) else str(value)
            row.append('' if np.isnan(value) else number)
        writer.writerow(row)
    return text.getvalue().encode()


def tell(summary: dict[str, Any]) -> None:
    """Print the numbers of the summary."""
    print(
        '\nrelative distance to the boundary: mean, and half the sum of '
        'absolute differences\nfrom the distribution of the sparse labels'
    )
    for key, row in summary['distributions'].items():
        other = percent(row['difference_from_scribble_labels'])
        print(f'  {key:52} {row["mean"]:.3f}  {other}')
    print('\nprecision of all pixels, and of those up to the relative '
          'distance 0.2')  # fmt: skip
    for key, row in summary['precision'].items():
        print(f'  {key:52} {percent(row["all"])}  {percent(row["up_to_0_2"])}')


def percent(share: float | None) -> str:
    """Return a share for a column."""
    return '      -' if share is None else f'{100 * share:5.1f} %'


def draw_pictures(
    found: 'PreferenceAnalysis', data: 'LabelSet', width: int, title: str
) -> Any:
    """Return the sheet of pictures."""
    import numpy as np

    from mmseg_sparse.labels.label_map import distinct_palette
    from mmseg_sparse.visualization import (
        draw_outlined_strokes,
        fit_into,
        heat_map,
        on_paper,
        picture_sheet,
    )

    palette = data.palette or distinct_palette(max(1, found.num_classes))
    # One scale for all images: few pixels lie above its end.
    losses = np.concatenate([one.loss.ravel() for one in found.maps])
    top = max(1e-3, float(np.percentile(losses, 99)))
    ratio = max(one.loss.shape[0] / one.loss.shape[1] for one in found.maps)
    size = (max(1, round(width * min(ratio, 1.5))), width)
    rows, captions = [], []
    for one in found.maps:
        first = one.image
        if one.labels is not None:
            first = draw_outlined_strokes(first, one.labels, palette, dim=1.0)
        row, line = [first], [one.name]
        for values, high in ((one.annotation, 1.0), (one.segmentation, 1.0),
                             (one.delta, 1.0), (one.loss, top)):  # fmt: skip
            row.append(heat_map(one.image, values, top=high))
            line.append(
                f'mean {values.mean():.3f}, highest {values.max():.3f}'
            )
        rows.append([on_paper(fit_into(picture, size), size)
                     for picture in row])  # fmt: skip
        captions.append(line)
    strokes = any(one.labels is not None for one in found.maps)
    return picture_sheet(
        rows,
        ['image and labels' if strokes else 'image',
         'annotation probability', 'segmentation probability',
         f'delta (gamma {found.gamma:g})', 'BLP loss'],
        heading=f'{title}: blue = 0, red = 1; for the loss, red = {top:.2g} '
        'nats and more',
        captions=captions,
        classes=data.classes if strokes else (), palette=palette,
    )  # fmt: skip


def write(out: Path, contents: dict[str, bytes]) -> None:
    """Write all files, or none."""
    from mmseg_sparse.utils.atomic import write_all_whole

    try:
        write_all_whole({out / name: c for name, c in contents.items()})
    except OSError as error:
        fail(f'cannot write to {out}: {error}')
    print(f'\nwritten: {", ".join(str(out / name) for name in contents)}')


def main(argv: Sequence[str] | None = None) -> None:
    """Analyse the label preference."""
    args = parse_args(argv)
    path = find_config(args.config)
    for checkpoint in (args.checkpoint, *(w for _, w in args.baseline)):
        check_checkpoint(checkpoint)
    name = f'{Path(path).stem}-{args.split}'
    out = args.out or Path('work_dirs', 'label_preference', name)
    if out.exists() and not out.is_dir():
        fail(f'--out is not a folder: {str(out)!r}')
    there = [f for f in (*TABLES, PICTURES) if (out / f).exists()]
    if there and not args.overwrite:
        fail(f'{out / there[0]} exists: name another folder, or --overwrite')
    cfg = load_config(path, args.cfg_options)
    try:
        data = load_items(args, cfg)
    except Exception as error:  # a config is code
        fail(f'{path}: {one_line(error)}')
    models = load_models(args, path, cfg)
    gamma = args.gamma
    if gamma is None:
        gamma = gamma_of(models[0].predictor)
    try:
        found = analyse(models, data, args.pictures, gamma)
    except (OSError, RuntimeError, ValueError) as error:
        fail(one_line(error))
    title = f'{Path(path).stem}, {args.split}, {len(data.items)} images'
    compared = dict(
        tool='label_preference', config=path, checkpoint=args.checkpoint,
        baselines=args.baseline, split=args.split, images=len(data.items),
        masks=data.dense, gamma=gamma,
    )  # fmt: skip
    summary = found.summary()
    tell(summary)
    contents = render(found, data, title, args.width)
    text = json.dumps(compared | summary, indent=1) + '\n'
    write(out, contents | {'summary.json': text.encode()})


if __name__ == '__main__':
    run_tool(main)
