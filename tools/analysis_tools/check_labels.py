"""Find out what is wrong with the labels of a data set, and how to correct it.

Reads every label file of a config's data set, or of a FOLDER of index PNGs.
Reports for each class how many images and pixels are labelled, and whatever
would make training fail or learn from wrong labels: values that are not a
class, colours or misread palettes instead of class indices, 0 for "no label"
that is read as a class, dense masks instead of sparse labels, sizes that
differ from those of the images, and broken, missing and duplicate files.
Labels are compared with dense masks of the same images, if there are any, and
a training set with its validation set: images in both, classes of which only
one has labels, and shares of the classes.
Each finding lists files and a remedy: a config line, a command or what to do.

Prints the report and writes it to OUT as report.txt, report.json and, drawn,
report.png. The exit status is 0, or 1 if one of the findings is an error, or
2 if the arguments are wrong.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from _arguments import (
    ProgressBar,
    add_cfg_options,
    at_least,
    command,
    find_config,
    make_parser,
    one_line,
    run_tool,
)

if TYPE_CHECKING:
    from mmseg_sparse.doctor import LabelSet

SPLITS = ('train', 'val', 'test')
REPORTS = ('report.txt', 'report.json', 'report.png')


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__file__, __doc__)
    parser.add_argument(
        'data', metavar='CONFIG|FOLDER',
        help='path of a config, or the name of one of mmseg_sparse; or a '
        'folder of label maps, or one that holds a folder of images and one '
        'of labels',
    )  # fmt: skip
    parser.add_argument(
        '--split', choices=SPLITS,
        help='which data set of the config (default: train); for a FOLDER, '
        'which folder inside it',
    )  # fmt: skip
    parser.add_argument(
        '--dense', metavar='DIR',
        help='dense masks with the same names to compare with; "none": do '
        'not compare (default: a folder such as masks beside the labels)',
    )  # fmt: skip
    parser.add_argument(
        '--ignore-index', type=int, metavar='N',
        help='value that means "no label", besides 255 (default: that of '
        'the config)',
    )  # fmt: skip
    _add_folder_arguments(parser)
    add_cfg_options(parser)
    parser.add_argument(
        '--out', type=Path, metavar='DIR',
        help='folder for the report; replaces an older report, but no other '
        'file (default: work_dirs/check_labels/NAME)',
    )  # fmt: skip
    parser.add_argument(
        '--workers', type=at_least(0), default=min(8, os.cpu_count() or 1),
        metavar='N',
        help='number of processes; 0: only this one (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--max-images', type=at_least(1), metavar='N',
        help='read only N images, spread evenly over the data set',
    )  # fmt: skip
    args = parser.parse_args(argv)
    if not 0 <= (args.ignore_index or 0) <= 255:
        parser.error(
            f'--ignore-index must lie in 0..255, got {args.ignore_index}'
        )
    return args


def _add_folder_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group('for a FOLDER')
    group.add_argument(
        '--images', type=Path, metavar='DIR',
        help='folder of the images (default: a folder such as images beside '
        'the labels)',
    )  # fmt: skip
    group.add_argument(
        '--classes', metavar='CLASSES',
        help='class names in order of their indices: a text file with one a '
        'line, or a dataset type (CamVidDataset), or a,b,c (default: those '
        'of labels.json)',
    )  # fmt: skip
    group.add_argument(
        '--reduce-zero-label', action='store_true',
        help='0 means "no label" and classes count from 1',
    )  # fmt: skip


def misuse(message: str) -> NoReturn:
    """End the program with one line on stderr and exit status 2."""
    print(f'{command(sys.argv[0])}: error: {message}', file=sys.stderr)
    sys.exit(2)


def load(args: argparse.Namespace) -> 'LabelSet':
    """Return the data set that the arguments name."""
    dense = '' if args.dense == 'none' else args.dense
    if dense and not Path(dense).is_dir():
        misuse(f'--dense: no folder {dense!r}')
    if Path(args.data).is_dir():
        return load_folder(args, dense)
    for name in ('images', 'classes'):
        if getattr(args, name) is not None:
            misuse(f'--{name} is for a FOLDER: the config names its own')
    if args.reduce_zero_label:
        misuse('--reduce-zero-label is for a FOLDER: the config says it')
    try:
        path = find_config(args.data)
    except SystemExit:
        misuse('expected a folder, a config or the name of a config that '
               f'comes with mmseg_sparse, got {args.data!r}')  # fmt: skip
    from mmengine.config import Config
    from mmseg.utils import register_all_modules

    from mmseg_sparse.doctor import from_config

    register_all_modules(init_default_scope=True)
    try:
        cfg = Config.fromfile(path)
        if args.cfg_options:
            cfg.merge_from_dict(args.cfg_options)
    except Exception as error:  # a config is code
        misuse(f'{path}: {one_line(error)}')
    return from_config(
        cfg, args.split or 'train', title=Path(path).stem, dense=dense,
        ignore_index=args.ignore_index, validation=True,
    )  # fmt: skip


def load_folder(args: argparse.Namespace, dense: str | None) -> 'LabelSet':
    """Return the label files of a folder."""
    from mmseg_sparse.doctor import from_folder
    from mmseg_sparse.labels.classes import parse_classes

    if args.cfg_options:
        misuse('--cfg-options is for a CONFIG')
    classes = parse_classes(args.classes) if args.classes else None
    ignored = args.ignore_index
    return from_folder(
        Path(args.data),
        images=args.images,
        dense=dense,
        classes=classes.names if classes else (),
        palette=classes.palette if classes else (),
        split=args.split,
        ignore_index=255 if ignored is None else ignored,
        reduce_zero_label=args.reduce_zero_label,
        validation=True,
    )


def default_out(args: argparse.Namespace) -> Path:
    """Return a folder named after what is examined."""
    path = Path(args.data)
    name = '-'.join(path.resolve().parts[-2:]) if path.is_dir() else path.stem
    split = args.split or ('' if path.is_dir() else 'train')
    return Path('work_dirs', 'check_labels',
                f'{name}-{split}' if split else name)  # fmt: skip


def check_out(out: Path) -> None:
    """End the program if OUT holds other files than a report."""
    there = [out / name for name in REPORTS if (out / name).exists()]
    if out.exists() and not out.is_dir():
        misuse(f'--out is not a folder: {str(out)!r}')
    if not there:
        return
    try:
        old = json.loads((out / 'report.json').read_text(encoding='utf-8'))
        ours = old.get('tool') == 'check_labels'
    except (OSError, ValueError, AttributeError):
        ours = False
    if not ours:
        misuse(f'{there[0]} is not replaced: this tool did not write it; '
               'name another folder with --out')  # fmt: skip
    print(f'{out}: the old report will be replaced')


def write(out: Path, report: dict[str, Any], text: str, sheet: Any) -> None:
    """Write the three files, or none."""
    from mmseg_sparse.utils.atomic import write_all_whole
    from mmseg_sparse.visualization import encode_png

    content = json.dumps(report, indent=1, allow_nan=False) + '\n'
    write_all_whole({
        out / 'report.txt': text.encode(),
        out / 'report.json': content.encode(),
        out / 'report.png': encode_png(sheet),
    })  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    """Examine the labels of a data set."""
    args = parse_args(argv)
    out = args.out or default_out(args)
    check_out(out)
    import mmseg_sparse  # noqa: F401
    from mmseg_sparse.doctor import diagnose, examine, report_dict, report_text
    from mmseg_sparse.doctor.sheet import report_sheet

    try:
        data = load(args)
    except (OSError, ValueError) as error:
        misuse(one_line(error))
    for part in filter(None, (data, data.validation)):
        number = len(part.items)
        if args.max_images is not None and args.max_images < number:
            step = number / args.max_images
            part.items = [part.items[int(k * step)]
                          for k in range(args.max_images)]  # fmt: skip
            print(f'reading {args.max_images} of {number} images')
    if data.validation is not None:
        print(f'comparing with the {len(data.validation.items)} images of '
              'the validation set')  # fmt: skip
    if data.dense:
        print(f'comparing with the dense masks in {data.dense} '
              '(--dense DIR for others, --dense none for none)')  # fmt: skip
    few = len(data.items) < 100  # not worth the start of processes
    found = examine(data, workers=0 if few else args.workers,
                    progress=ProgressBar())  # fmt: skip
    findings = diagnose(found)
    report = report_dict(found, findings)
    text = report_text(report)
    print(f'\n{text}', end='')
    try:
        write(out, report, text, report_sheet(found, report))
    except OSError as error:
        misuse(f'cannot write the report: {error}')
    print(f'\nwritten: {out}/report.txt, report.json, report.png')
    sys.exit(1 if report['errors'] else 0)


if __name__ == '__main__':
    run_tool(main)
