r"""Train methods on strokes of several lengths, and plot their results.

This is figure 3 of DFR's paper, mIoU over the length of the scribbles:

  python -m mmseg_sparse scribble_lengths \
      CE=ce_swin-b_upernet_8xb2-40k_voc12-scribble-512x512.py \
      DFR=dfr_swin-b_upernet_8xb2-40k_voc12-scribble-512x512.py

and the same with small networks on CamVid, for a CPU:

  python -m mmseg_sparse scribble_lengths \
      CE=ce_mit-b0_segformer_1xb8-2k_camvid-scribble-256x256.py \
      DFR=dfr_mit-b0_segformer_1xb8-2k_camvid-scribble-256x256.py

Each length is the share of every stroke that is kept, by ShrinkScribbles in
the pipeline of the training images: what a shorter length keeps is part of
what a longer one does, and at 0 a dot is left. The other settings are those of
the configs. OUT gets a config of each length, and suite.py, which names them
all. The rest is what `benchmark OUT/suite.py --out OUT` does: the same command
again goes on, and OUT gets table.md and a folder for each training. The figure
is OUT/lengths.png. Further options are those of `benchmark`, such as --seeds,
--processes, --list.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from _arguments import fail, find_config, make_parser, run_tool

#: Lengths of the figure.
LENGTHS = (0.0, 0.3, 0.5, 0.8, 1.0)
_LOADS = ('LoadAnnotations', 'LoadSparseAnnotations')


def parse_args(
    argv: Sequence[str] | None = None,
) -> tuple[argparse.Namespace, list[str]]:
    """Read the command line; what is unknown is for ``benchmark``."""
    parser = make_parser(__file__, __doc__)
    parser.allow_abbrev = False
    parser.add_argument(
        'methods', nargs='+', metavar='NAME=CONFIG',
        help='config of a method that trains on strokes, and its name in the '
        'plot',
    )  # fmt: skip
    parser.add_argument(
        '--lengths', type=float, nargs='+', default=list(LENGTHS),
        metavar='SHARE', help='from 0 to 1 (default: 0 0.3 0.5 0.8 1)',
    )  # fmt: skip
    parser.add_argument(
        '--out', type=Path, default=Path('work_dirs/scribble_lengths'),
        help='folder of all results (default: %(default)s)',
    )  # fmt: skip
    args, rest = parser.parse_known_args(argv)
    methods = {}
    for text in args.methods:
        name, _, config = text.partition('=')
        if not name or not config:
            parser.error(f'expected NAME=CONFIG, got {text}')
        methods[name] = find_config(config)
    args.methods = methods
    for length in args.lengths:
        if not 0 <= length <= 1:
            parser.error(f'--lengths must lie in [0, 1], got {length:g}')
    return args, rest


def shortened(config: str, length: float) -> Any:
    """Return a config that keeps a share of the length of each stroke.

    Raises:
        ValueError: If the training pipeline loads no labels.
    """
    from mmengine.config import Config

    from mmseg_sparse.utils.config_tree import inner_datasets, step_name

    cfg = Config.fromfile(config)
    if length == 1:
        return cfg
    found = 0
    for dataset in inner_datasets(cfg.train_dataloader.dataset):
        steps = dataset.get('pipeline') or []
        for index, step in enumerate(steps):
            if step_name(step) in _LOADS:
                shrink = dict(type='ShrinkScribbles', ratio=length, seed=0)
                steps.insert(index + 1, shrink)
                found += 1
                break
    if not found:
        raise ValueError(
            f'{config}: expected a train_dataloader whose pipeline has one of '
            f'{", ".join(_LOADS)}, got none'
        )
    return cfg


def write_suite(
    methods: dict[str, str], lengths: Sequence[float], out: Path
) -> Path:
    """Write the configs of all lengths and the suite of them; return it."""
    from mmengine.config import Config

    from mmseg_sparse.utils.atomic import write_whole
    from mmseg_sparse.utils.config_tree import inner_datasets, step_name

    first = Config.fromfile(next(iter(methods.values())))
    dataset, *_ = inner_datasets(first.train_dataloader.dataset)
    groups = []
    for length in sorted(set(lengths)):
        percent = f'{100 * length:g}'
        files = {}
        for name, config in methods.items():
            # Whole strokes have the config's own name.
            cfg = shortened(config, length)
            word = f'_length{percent}' if length < 1 else ''
            file = out / 'configs' / f'{Path(config).stem}{word}.py'
            write_whole(file, cfg.pretty_text.encode())
            files[name] = f'configs/{file.name}'
        groups.append(
            dict(
                dataset=step_name(dataset),
                backbone=step_name(first.model.backbone),
                labels=f'length {percent}',
                config='{}',
                methods=files,
            )
        )
    baseline = next(iter(methods))
    text = (
        "title = 'mIoU over the length of the strokes'\n"
        f'baseline = {baseline!r}\ngroups = {groups!r}\n'
    )
    path = out / 'suite.py'
    write_whole(path, text.encode())
    return path


def draw(out: Path) -> Path | None:
    """Draw the figure of what is in the table; return its path."""
    from mmseg_sparse.benchmark.table import from_json
    from mmseg_sparse.utils.atomic import write_whole
    from mmseg_sparse.visualization import encode_png
    from mmseg_sparse.visualization.benchmark import plot_lengths

    table = out / 'table.json'
    if not table.is_file():
        return None
    content = json.loads(table.read_text(encoding='utf-8'))
    curves: dict[str, dict[float, Sequence[float]]] = {}
    for row in from_json(content)[1]:
        length = float(row.labels.removeprefix('length '))
        curves.setdefault(row.method, {})[length] = row.metrics['mIoU']
    path = out / 'lengths.png'
    picture = plot_lengths(curves, content['title'], 'mIoU')
    write_whole(path, encode_png(picture))
    return path


def main(argv: Sequence[str] | None = None) -> int:
    """Write the suite and run it."""
    args, rest = parse_args(argv)
    import mmseg_sparse  # noqa: F401  before anything of mmseg

    try:
        suite = write_suite(args.methods, args.lengths, args.out)
    except (OSError, ValueError) as error:
        fail(error)
    import benchmark

    status = benchmark.main([str(suite), '--out', str(args.out), *rest])
    drawn = draw(args.out)
    if drawn is not None:
        print(drawn)
    return status


if __name__ == '__main__':
    run_tool(main)
