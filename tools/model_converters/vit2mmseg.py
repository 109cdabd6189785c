"""Convert DINOv2, MAE and other vision transformers to mmseg's keys.

SOURCE holds a plain vision transformer with the parameter names of DINOv2,
MAE, DeiT, timm or transformers. LayerScale is multiplied into the layers
before it, so that the stock backbone needs none. The result is compared with
the source on a random image before it is written. Prints the config of the
backbone.
"""

import argparse
import io
import pprint
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from _arguments import fail, make_parser, run_tool

#: Largest difference to the source, relative to its largest value.
TOLERANCE = 1e-4


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__file__, __doc__)
    parser.add_argument('source', help='checkpoint to convert')
    parser.add_argument('out', help='checkpoint to write, .pth')
    parser.add_argument(
        '--num-heads',
        type=int,
        help='attention heads (default: one for each 64 channels)',
    )
    parser.add_argument(
        '--half', action='store_true', help='write float16, half the size'
    )
    parser.add_argument('--overwrite', action='store_true', help='replace OUT')
    return parser.parse_args(argv)


def convert(args: argparse.Namespace) -> None:
    """Convert, compare, write.

    Raises:
        OSError: If SOURCE cannot be read, or OUT is there.
        ValueError: If SOURCE is not one of a plain vision transformer, or
            the two differ.
    """
    import torch
    from mmseg.registry import MODELS

    import mmseg_sparse  # noqa: F401
    from mmseg_sparse.engine.vit_checkpoint import convert_vit, literal_vit
    from mmseg_sparse.utils.atomic import write_whole

    if Path(args.out).exists() and not args.overwrite:
        raise FileExistsError(f'{args.out!r} exists: --overwrite replaces it')
    try:
        content = torch.load(
            args.source, map_location='cpu', weights_only=True
        )
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f'SOURCE not found: {args.source!r}'
        ) from error
    except Exception as error:
        raise ValueError(
            f'not a checkpoint: {args.source!r} ({error})'
        ) from error
    found = convert_vit(content, args.num_heads)
    model = MODELS.build(found.backbone)
    model.load_state_dict(found.state_dict)
    model.eval()
    side = found.backbone['img_size']
    image = torch.randn(1, 3, side, side)
    with torch.no_grad():
        expected = literal_vit(
            found.source, image, found.backbone['num_heads']
        )
        difference = (model(image)[-1] - expected).abs().max()
        relative = float(difference / expected.abs().max())
    print(f'largest difference to the source: {relative:.1e} of its maximum')
    if not relative <= TOLERANCE:
        raise ValueError(
            f'{args.source!r}: the converted model differs by {relative:.1e}, '
            f'wanted at most {TOLERANCE:.0e}: is --num-heads right?'
        )
    state = found.state_dict
    if args.half:
        state = {key: value.half() for key, value in state.items()}
    file = io.BytesIO()
    torch.save(state, file)
    write_whole(args.out, file.getvalue())
    backbone = dict(
        found.backbone,
        init_cfg=dict(type='Pretrained', checkpoint=args.out),
    )
    print(f'backbone={pprint.pformat(backbone, sort_dicts=False)}')


def main(argv: Sequence[str] | None = None) -> None:
    """Convert a checkpoint."""
    args = parse_args(argv)
    try:
        convert(args)
    except (OSError, ValueError) as error:
        fail(error)


if __name__ == '__main__':
    run_tool(main)
