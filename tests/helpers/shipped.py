"""The shipped configs, for tests: found, parsed once, named, shrunk."""

import ast
import copy
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIGS = REPOSITORY / 'configs'
#: Main configs lie in METHOD/, the rows of ablation tables in ablations/.
ABLATIONS = sorted(CONFIGS.glob('*/ablations/*.py'))
#: Configs of a whole training; those of TRL's stages have tests of their own.
LEAVES = [
    *sorted(CONFIGS.glob('*/*.py')),
    *(path for path in ABLATIONS if 'trl' not in path.parts),
]
NAME = re.compile(
    r'(?P<method>gated_crf|tree_energy|[a-z0-9]+)(-(?P<variant>[a-z0-9-]+))?'
    r'_(?P<backbone>[a-z0-9-]+)_(?P<head>[a-z0-9-]+)'
    r'_(?P<gpus>\d+)xb(?P<batch>\d+)-(?P<iters>\d+)k'
    r'_(?P<dataset>[a-z0-9]+)'
    r'-(?P<labels>dense|scribble|point|block|tag|hybrid)'
    r'-(?P<height>\d+)x(?P<width>\d+)'
)


def parts(leaf: Path) -> dict[str, str]:
    """Return the named parts of a config's name."""
    match = NAME.fullmatch(leaf.stem)
    assert match, f'{leaf.name} is not named by the pattern'
    return match.groupdict()


def parse(leaf: Path) -> Config:
    """Return a copy of the parsed config, the caller's to change."""
    return copy.deepcopy(_parse(leaf))


@cache
def _parse(leaf: Path) -> Config:
    return Config.fromfile(leaf)


def dicts(value: Any) -> Iterator[dict[str, Any]]:
    """Yield a value's dicts, its own and those inside."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from dicts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from dicts(item)


def of_type(value: Any, *types: str) -> list[dict[str, Any]]:
    """Return the dicts in ``value`` whose type is one of those."""
    return [item for item in dicts(value) if item.get('type') in types]


def datasets(loader: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the datasets that a dataloader reads."""
    dataset = loader['dataset']
    return dataset.get('datasets', [dataset])


def shrink(cfg: Config, size: int = 64) -> Config:
    """Make a config's model tiny and fetch nothing for it."""
    model = cfg.model
    without_weights(model)
    for norm in of_type(model, 'SyncBN'):
        norm.type = 'BN'
    model.data_preprocessor.size = (size, size)
    if model.test_cfg.get('mode') == 'slide':
        model.test_cfg.update(crop_size=(size, size), stride=(48, 48))
    if model.backbone.type == 'MixVisionTransformer':
        _shrink_mit(model)
    elif model.backbone.type == 'VisionTransformer':
        _shrink_vit(model, size)
    elif model.backbone.type == 'FrozenBackbone':
        _shrink_frozen(model, size)
    elif model.backbone.type == 'SwinTransformer':
        _shrink_swin(model)
    elif model.backbone.type.startswith('ResNet'):
        _shrink_resnet(model)
    elif model.backbone.type == 'TIMMBackbone':
        model.backbone.update(model_name='test_efficientnet', pretrained=False)
        model.decode_head.update(in_channels=[24, 32, 48, 64], channels=8)
    elif model.backbone.type == 'UNet':
        model.backbone.base_channels = 4
        model.decode_head.update(in_channels=4, channels=4)
    elif model.backbone.type == 'DilatedVGG':
        model.backbone.update(depth=11, base_channels=4)
        model.decode_head.update(in_channels=32, channels=8)
    else:
        raise ValueError(f'no way to shrink a {model.backbone.type}')
    return cfg


def without_weights(model: ConfigDict) -> None:
    """Drop what would be read from a file or fetched."""
    for item in dicts(model):
        item.pop('init_cfg', None)
        item.pop('pretrained', None)


def _shrink_mit(model: ConfigDict) -> None:
    heads = model.backbone.num_heads
    model.backbone.update(embed_dims=4, num_layers=[1] * len(heads))
    model.decode_head.update(in_channels=[4 * n for n in heads], channels=8)
    if model.decode_head.get('attention_heads'):  # AFA's
        model.decode_head.attention_heads = heads[-1]
    _fit_feature(model, 8)


def _shrink_vit(model: ConfigDict, size: int) -> None:
    backbone = model.backbone
    stages = backbone.get('out_indices', -1)
    if stages != -1:
        backbone.out_indices = tuple(range(len(stages)))
    backbone.update(
        embed_dims=16, num_heads=2, num_layers=4, img_size=(size, size)
    )
    for head in [model.decode_head, *(model.get('auxiliary_head') or [])]:
        head.update(in_channels=16, channels=16)
        if head.type == 'SegmenterMaskTransformerHead':
            head.update(embed_dims=16, num_heads=2, num_layers=1)


def _shrink_frozen(model: ConfigDict, size: int) -> None:
    model.backbone.update(cache_dir=None, stem_channels=(4, 6))
    stages = len(model.backbone.backbone.out_indices)
    model.backbone.backbone.update(
        embed_dims=16, num_heads=2, num_layers=4, img_size=size,
        out_indices=tuple(range(stages)),
    )  # fmt: skip
    layers = model.backbone.get('attention_layers', ())
    model.backbone.attention_layers = tuple(range(len(layers)))
    if model.decode_head.get('attention_heads'):  # AFA's
        model.decode_head.attention_heads = 2 * len(layers)
    _fit_feature(model, 8)
    model.decode_head.update(in_channels=[4, 6] + [16] * stages, channels=8)


def _shrink_swin(model: ConfigDict) -> None:
    """Keep which stages the heads use; the deep feature is all of them."""
    model.backbone.update(
        embed_dims=4, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2]
    )
    head = model.decode_head
    head.update(
        in_channels=[4 * 2**stage for stage in head.in_index], channels=8
    )
    model.auxiliary_head.update(in_channels=16, channels=8)
    _fit_feature(model, 8 * len(head.get('levels', head.in_index)))


def _shrink_resnet(model: ConfigDict) -> None:
    model.backbone.update(depth=18, base_channels=4, stem_channels=4)
    if model.decode_head.type == 'FCNHead':
        model.decode_head.update(in_channels=32, channels=8)
    elif isinstance(model.decode_head.in_channels, int):  # DeepLabV3+
        model.decode_head.update(
            in_channels=32, channels=8, c1_in_channels=4, c1_channels=4
        )
    else:
        model.decode_head.update(in_channels=[4, 8, 16, 32], channels=8)
    if model.get('auxiliary_head'):
        model.auxiliary_head.update(in_channels=16, channels=8)
    _fit_feature(model, 8)


def _fit_feature(model: ConfigDict, channels: int) -> None:
    """Let the losses expect what the head's classifier gets."""
    for loss in of_type(model, 'DFRLoss'):
        if loss.get('in_channels'):
            loss.in_channels = channels


def changes(new: Any, old: Any, key: str = '') -> Iterator[tuple[str, Any]]:
    """Yield where two configs differ: dotted keys and their new values.

    Values that are no dicts, and lists of other lengths, change as a whole;
    the value of a key that is gone is ``'absent'``.
    """
    if isinstance(new, (list, tuple)) and isinstance(old, (list, tuple)):
        if len(new) == len(old) and any(isinstance(i, dict) for i in new):
            new, old = dict(enumerate(new)), dict(enumerate(old))
    if not (isinstance(new, dict) and isinstance(old, dict)):
        if new != old:
            yield key, new
        return
    for name in (new | old).keys() - {'_scope_'}:
        below = f'{key}.{name}' if key else str(name)
        if name not in new:
            yield below, 'absent'
            continue
        value = new[name]
        if name not in old and isinstance(value, dict) and 'type' not in value:
            old = old | {name: {}}
        yield from changes(value, old.get(name, 'absent'), below)


def parent_of(leaf: Path) -> Path | None:
    """Return the one shipped config that a config is a change of."""
    tree = ast.parse(leaf.read_text('utf-8'))
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id == '_base_':
            base = ast.literal_eval(node.value)
            return (
                None
                if isinstance(base, list)
                else ((leaf.parent / base).resolve())
            )
    return None
