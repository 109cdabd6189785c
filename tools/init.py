"""Make a config for your own images and labels, ready to train.

Recognises the format of LABELS (every format of import_labels, folders of
index PNGs among them), looks at images and labels, and chooses classes,
validation images, model, method and schedule. Each choice is printed with
the option that changes it. Nothing is asked, nothing is downloaded and
nothing is overwritten.

Writes OUT/config.py, OUT/train.txt, OUT/val.txt and OUT/README.md, and
OUT/labels if LABELS have to be imported. Then checks the labels as
check_labels does.
"""

import argparse
import shlex
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _arguments import ProgressBar, command, fail, make_parser, run_tool

if TYPE_CHECKING:
    from mmseg_sparse.start.config_text import Project

#: Names of folders that say nothing about the data set.
PLAIN = {
    'images', 'image', 'imgs', 'img', 'jpegimages', 'train', 'training',
    'data', 'leftimg8bit', 'img_dir',
}  # fmt: skip


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__file__, __doc__)
    parser.add_argument('images', type=Path, help='folder of the images')
    parser.add_argument('labels', type=Path, help='file or folder of labels')
    parser.add_argument(
        '--out', type=Path, metavar='DIR',
        help='folder to make (default: work_dirs/ and the name of the data '
        'set)',
    )  # fmt: skip
    _add_data_arguments(parser)
    _add_training_arguments(parser)
    return parser.parse_args(argv)


def _add_data_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--val', metavar='MASKS|SHARE',
        help='folder of dense masks to validate on, or share of the images '
        'to hold out (default: masks/val beside images/train, or 0.2)',
    )  # fmt: skip
    parser.add_argument(
        '--classes', nargs='+', metavar='CLASSES',
        help='class names in order of their indices: a text file with one a '
        'line, or a dataset type (CamVidDataset), or names with spaces or '
        'commas between them',
    )  # fmt: skip
    parser.add_argument(
        '--background', metavar='NAME',
        help='class that is not an object, or "none"',
    )  # fmt: skip
    parser.add_argument(
        '--format', metavar='FORMAT', help='a format of import_labels'
    )
    parser.add_argument(
        '--option', nargs='+', default=[], metavar='KEY=VALUE',
        help="options of the format's reader, see import_labels",
    )  # fmt: skip
    parser.add_argument(
        '--kind',
        choices=('scribble', 'point', 'block', 'dense', 'tag'),
        help='kind of the labels',
    )


def _add_training_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--weights', metavar='URL|FILE',
        help='pretrained MiT (SegFormer backbone), or none (default: a file '
        'that is found, without network)',
    )  # fmt: skip
    for name, text in (
        ('scale', 'length to which the longer side of images is resized'),
        ('crop', 'side of the crops'),
        ('batch', 'images per iteration (default: 8)'),
        ('iters', 'iterations (default: what fits --minutes)'),
        ('minutes', 'duration of the training (default: 15 on CPU, else 60)'),
    ):
        parser.add_argument(
            f'--{name}', type=int, metavar='N', help=text,
            **(dict(default=8) if name == 'batch' else {}),
        )  # fmt: skip
    parser.add_argument(
        '--train', action='store_true',
        help='go on to training, and draw predictions to OUT/sheet.png',
    )  # fmt: skip


def default_out(images: Path) -> Path:
    """Return a folder named after the data set."""
    parts = [p for p in images.absolute().parts if p.casefold() not in PLAIN]
    return Path('work_dirs', parts[-1] if len(parts) > 1 else 'mine')


def tell(what: str, choice: str, change: str) -> None:
    """Print a choice, and the option that changes it."""
    head = f'{what}:' if what else ''
    print(f'{head:12}{choice}' + (f'  [{change}]' if change else ''),
          flush=True)  # fmt: skip


def check(out: Path) -> int:
    """Print what is wrong with the labels; return the number of errors."""
    from mmengine.config import Config

    from mmseg_sparse.doctor import (
        diagnose,
        examine,
        from_config,
        report_dict,
        report_text,
    )

    data = from_config(Config.fromfile(out / 'config.py'), title=str(out))
    found = examine(data, progress=ProgressBar())
    findings = diagnose(found)
    report = report_dict(found, findings)
    (out / 'check_labels.txt').write_text(report_text(report), 'utf-8')
    for finding in findings:
        tell('check', f'{finding.severity}: {finding.message}', finding.mend)
    if not findings:
        tell('check', 'no findings', '')
    tell('', f'more in {out / "check_labels.txt"}', '')
    return int(report['errors'])


def main(argv: Sequence[str] | None = None) -> None:
    """Make a project."""
    args = parse_args(argv)
    given = sys.argv[1:] if argv is None else argv
    out = args.out or default_out(args.images)
    warnings.simplefilter('ignore')  # of libraries, about the timed model
    import mmseg_sparse  # noqa: F401  before anything of mmseg

    # isort: split
    from mmseg.utils import register_all_modules

    from mmseg_sparse.start.project import (
        Wishes,
        make_project,
        next_commands,
    )

    register_all_modules(init_default_scope=True)
    named = ('format', 'classes', 'background', 'kind', 'val', 'weights',
             'scale', 'crop', 'batch', 'iters', 'minutes')  # fmt: skip
    wishes: dict[str, Any] = {name: getattr(args, name) for name in named}
    try:
        project = make_project(
            args.images, args.labels, out,
            Wishes(**wishes, settings=args.option),
            command=f'{command(__file__)} {shlex.join(map(str, given))}',
            tell=tell,
        )  # fmt: skip
    except KeyboardInterrupt:
        raise KeyboardInterrupt('nothing was written') from None
    except (OSError, ValueError) as error:
        fail(error)
    errors = check(out)
    commands = next_commands(project, out, args.images)
    print(f'\n{out} is ready. Next:\n' + '\n'.join(f'  {c}' for c in commands))
    if errors:
        sys.exit(1)
    if args.train:
        go_on(out, project)


def go_on(out: Path, project: 'Project') -> None:
    """Train, and draw predictions of some images."""
    import train
    from mmengine.config import Config

    from mmseg_sparse.engine import training_run
    from mmseg_sparse.start.sheet import prediction_sheet
    from mmseg_sparse.start.trl_text import PIPELINE
    from mmseg_sparse.utils.atomic import write_whole
    from mmseg_sparse.visualization import encode_png

    config = out / 'config.py'
    run = out / 'run'
    if project.recipe.method == 'trl':
        training_run.run_tool('trl_pipeline', [str(out / PIPELINE)])
        run /= 'final'
    else:
        train.main([str(config)])
    checkpoint = run / f'iter_{project.recipe.iters}.pth'
    sheet = prediction_sheet(project, Config.fromfile(config), str(checkpoint))
    write_whole(out / 'sheet.png', encode_png(sheet))
    print(f'predictions: {out / "sheet.png"}')


if __name__ == '__main__':
    run_tool(main)
