r"""Run TRL's stages in order: from tags and a few masks to the final model.

  python -m mmseg_sparse trl_pipeline configs/trl/pipelines/trl_toy.py

The stages are

  classifier      learns the tags of all images
  cam             class activation maps of the classifier, for all images
  dctn1           learns to refine them, on the strong images
  refined         its heat maps of all images, filtered by their tags (CLF)
  dctn2           learns to refine these, on the strong images
  pseudo_labels   its predictions for the weak images, filtered by tags
  final           learns from masks (strong head) and pseudo labels (weak one)
  evaluation      a table of mIoU: report.txt, report.json

Each has a folder in the work folder. If the command is run again, finished
stages are skipped and an interrupted one continues: a training from its last
checkpoint, to the same weights, and a generator with the next file. If the
settings of a stage have changed since it began, the command stops with an
error; --overwrite-from runs this stage or an earlier one again, and all later.

`shared` in the config is the work folder of another pipeline. Its classifier
and activation maps are used if they have the same settings, and made there if
they are missing, so that the pipelines of an ablation make them once.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from _arguments import check_work_dir, fail, find_config, make_parser, run_tool


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__file__, __doc__)
    parser.add_argument(
        'config',
        help='config of a pipeline: a path, or a name in mmseg_sparse',
    )
    parser.add_argument(
        '--work-dir',
        help="folder of the stages (default: the config's work_dir)",
    )
    parser.add_argument(
        '--until', metavar='STAGE', help='the last stage to run'
    )
    parser.add_argument(
        '--overwrite-from',
        metavar='STAGE',
        help='first remove the results of this stage and of all later ones',
    )
    parser.add_argument(
        '--list',
        action='store_true',
        help='print the state of each stage and run nothing',
    )
    args = parser.parse_args(argv)
    args.config = find_config(args.config)
    check_work_dir(args.work_dir)
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Run the stages."""
    args = parse_args(argv)
    import mmseg_sparse  # noqa: F401  before anything of mmseg
    from mmseg_sparse.pseudo_labels.trl_configs import read_settings
    from mmseg_sparse.pseudo_labels.trl_pipeline import TRLPipeline

    try:
        settings = read_settings(args.config, args.work_dir)
        stages = TRLPipeline(settings).stages
        if args.list:
            for name in stages.names:
                state = stages.state(name)
                if state == 'other':
                    state = f'other settings: {stages.difference(name)}'
                print(f'{name:14} {state}')
            return
        stages.run(
            until=args.until,
            overwrite_from=args.overwrite_from,
            report=lambda line: print(f'== {line}', flush=True),
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt('the same command goes on') from None
    except Exception as error:  # a config is code
        fail(error)


if __name__ == '__main__':
    run_tool(main)
