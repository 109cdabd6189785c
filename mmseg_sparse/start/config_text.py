"""The config of a project, as text."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..labels.classes import Classes
from .label_set import LabelSet, common_root
from .recipe import Recipe
from .weights import ARCHITECTURES, Weights

#: What MMEngine replaces by the folder of the config.
HERE = '{{ fileDirname }}'


@dataclass(frozen=True)
class Project:
    """What a config is written from.

    Attributes:
        out: Folder of the config.
        command: The command that makes it, for its first line.
        train: Images to train on.
        val: Images to validate on; None: no validation.
        classes: Names and colours.
        background: Index of the class that is not a tag, if any.
        weights: Of the backbone.
        recipe: Method, sizes and schedule.
        workers: Processes that load data.
    """

    out: Path
    command: str
    train: LabelSet
    val: LabelSet | None
    classes: Classes
    background: int | None
    weights: Weights
    recipe: Recipe
    workers: int


def config_text(project: Project) -> str:
    """Return the config, which runs with our tools, mim and stock tools."""
    parts = [
        _head(project), classes_text(project), pipelines_text(project),
        data_text(project), model_text(project), schedule_text(project.recipe),
    ]  # fmt: skip
    return '\n'.join(parts)


def _head(project: Project) -> str:
    model = '_base_/models/afa_mit-b0_camvid.py'
    first = f"    __import__('mmseg_sparse').config({model!r}),"
    if project.recipe.method != 'afa':
        first = "    'mmseg::_base_/models/segformer_mit-b0.py',"
    base = "__import__('mmseg_sparse').config"
    return f"""\
# Written by: {project.command}
_base_ = [
{first}
    {base}('_base_/datasets/custom_sparse.py'),
    {base}('_base_/schedules/schedule_adamw_2k.py'),
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
work_dir = '{HERE}/run'
"""


def classes_text(project: Project) -> str:
    """Return names and colours of the classes."""
    names = ''.join(f'    {name!r},\n' for name in project.classes.names)
    colours = ''.join(
        f'    {list(colour)},  # {name}\n'
        for name, colour in zip(
            project.classes.names, project.classes.palette, strict=False
        )
    )
    return f'classes = (\n{names})\npalette = [\n{colours}]\n'


def pipelines_text(project: Project) -> str:
    """Return the steps that load and change a sample."""
    recipe = project.recipe
    scale = (recipe.scale, recipe.scale)
    ratios, pack, load = (0.75, 1.5), 'PackSegInputs', ''
    if recipe.method in ('afa', 'trl'):
        ratios, pack = (1.0, 1.25), 'PackSparseInputs'
    if recipe.method == 'trl':
        load = ', with_tags=True'  # masks are tags for the classifier
    sizes = tuple(int(recipe.scale * r) for r in (0.75, 1.0, 1.25))
    return f"""\
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadSparseAnnotations'{load}),
    # The longer side becomes {recipe.scale} pixels, times a random factor.
    dict(
        type='SparseRandomResize',
        scale={scale},
        ratio_range={ratios},
        keep_ratio=True,
    ),
    dict(type='SparseRandomCrop', crop_size={recipe.crop}),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type={pack!r}),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale={scale}, keep_ratio=True),
    dict(type='LoadSparseAnnotations'),
    dict(type='PackSegInputs'),
]
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(type='Resize', scale=(size, size), keep_ratio=True)
                for size in {sizes}
            ],
            [dict(type='RandomFlip', prob=p) for p in (0.0, 1.0)],
            [dict(type='LoadSparseAnnotations')],
            [dict(type='PackSegInputs')],
        ],
    ),
]
"""


def data_text(project: Project) -> str:
    """Return the data loaders."""
    sets = [s for s in (project.train, project.val) if s is not None]
    root = common_root(
        folder
        for one in sets
        for folder in (one.images, one.folder)
        if folder is not None and not _inside(folder, project.out)
    )
    background = project.background
    loader = f"""\
data_root = {str(root)!r}
train_dataloader = dict(
    batch_size={project.recipe.batch},
    num_workers={project.workers},
    persistent_workers={project.workers > 0},
    dataset=dict(
        classes=classes,
        palette=palette,
        background={background},
        data_root=data_root,
{_dataset(project.train, root, project.out, 'train')}\
        pipeline=train_pipeline,
    ),
)
"""
    if project.recipe.method == 'ce' and 'tag' in project.train.kinds.values():
        loader = loader.replace(
            '        pipeline=train_pipeline,\n',
            "        filter_cfg=dict(supervision=['dense', 'pseudo']),\n"
            '        pipeline=train_pipeline,\n',
        )
    if project.val is None:
        return loader + (
            '# There is nothing to validate on.\n'
            'val_dataloader = val_evaluator = val_cfg = None\n'
            'test_dataloader = test_evaluator = test_cfg = None\n'
        )
    return (
        loader
        + f"""\
val_dataloader = dict(
    persistent_workers=False,
    dataset=dict(
        classes=classes,
        palette=palette,
        background={background},
        data_root=data_root,
{_dataset(project.val, root, project.out, 'val')}\
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader
"""
    )


def _inside(folder: Path, out: Path) -> bool:
    return Path(os.path.abspath(folder)).is_relative_to(out.absolute())


def _dataset(data: LabelSet, root: Path, out: Path, split: str) -> str:
    """Return the lines that say where images and labels are."""

    def place(path: Path) -> str:
        full = Path(os.path.abspath(path))
        if _inside(path, out):
            return f'{HERE}/{full.relative_to(out.absolute()).as_posix()}'
        return Path(os.path.relpath(full, root)).as_posix()

    lines = ['data_prefix=dict(', f'    img_path={place(data.images)!r},']
    if data.folder is not None:
        lines.append(f'    seg_map_path={place(data.folder)!r},')
    lines += ['    _delete_=True,', '),']
    lines += [
        f"ann_file='{HERE}/{split}.txt',",
        f'img_suffix={data.img_suffix!r},',
    ]
    if data.folder is not None:
        lines.append(f'seg_map_suffix={data.seg_suffix!r},')
    if data.zero_is_no_label:
        lines.append('reduce_zero_label=True,  # 0 means "no label"')
    if data.tag_file is not None:
        lines.append(f'tag_file={place(data.tag_file)!r},')
    return ''.join(f'        {line}\n' for line in lines)


def model_text(project: Project, *, afa: bool | None = None) -> str:
    """Return what differs from the model of the base config.

    Args:
        project: What the config is written from.
        afa: Whether the head is AFA's; None: if that is the method.
    """
    recipe, number = project.recipe, len(project.classes.names)
    lines = []
    afa = recipe.method == 'afa' if afa is None else afa
    if recipe.method == 'trl' and not afa:
        lines.append("type='DualBranchEncoderDecoder',")
    if recipe.method == 'sasformer':
        lines += [
            "type='SparseEncoderDecoder',",
            'regularizers=[',
            "    dict(type='AttentionAffinityLoss', "
            f'loss_weight={recipe.loss_weight})',
            '],',
        ]
    lines.append(
        f'data_preprocessor=dict(size={recipe.crop}),  # size of the crops'
    )
    lines += ['backbone=dict(', *_backbone(project), '),']
    embed = ARCHITECTURES[project.weights.architecture][0]
    head = [
        'channels=128,', f'num_classes={number},',
        "norm_cfg=dict(type='BN', requires_grad=True),",
    ]  # fmt: skip
    if embed != 32:
        head.insert(0, 'in_channels=[64, 128, 320, 512],')
    if afa:
        head.append(f'background={project.background},')
        head.append(f'loss_decode=dict(background={project.background}),')
    else:
        head.append(
            "loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),"
        )
    lines.append('decode_head=dict(')
    lines += [f'    {line}' for line in head]
    lines.append('),')
    if recipe.method == 'afa':
        lines += _afa(recipe)  # the classifier of TRL has no phases
    return 'model = dict(\n' + ''.join(f'    {x}\n' for x in lines) + ')\n'


def _afa(recipe: Recipe) -> Sequence[str]:
    """Return AFA's phases, and the radius: a quarter of the tokens."""
    radius = max(2, max(recipe.crop) // 64)
    return (
        f'radius={radius},',
        f'segmentation_begin={recipe.iters * 2 // 5},',
        f'propagation_begin={recipe.iters * 3 // 5},',
        'test_cfg=dict(pseudo_labels=False),',
    )


def _backbone(project: Project) -> Sequence[str]:
    embed, depths = ARCHITECTURES[project.weights.architecture]
    checkpoint = project.weights.checkpoint
    lines = ['    init_cfg=None,  # from scratch']
    if checkpoint is not None:
        lines = [
            '    init_cfg=dict(',
            "        type='Pretrained',",
            f'        checkpoint={checkpoint!r},',
            '    ),',
        ]
    if project.weights.architecture == 'mit-b0':
        return lines
    return [f'    embed_dims={embed},', f'    num_layers={list(depths)},',
            *lines]  # fmt: skip


def schedule_text(recipe: Recipe) -> str:
    """Return learning rate, number of iterations and validations."""
    warm = min(100, max(1, recipe.iters // 10))
    every = recipe.val_interval
    return f"""\
param_scheduler = [
    dict(
        type='LinearLR', start_factor=1e-6, by_epoch=False, begin=0, end={warm}
    ),
    dict(
        type='PolyLR', eta_min=0.0, power=0.9, by_epoch=False, begin={warm},
        end={recipe.iters},
    ),
]
train_cfg = dict(max_iters={recipe.iters}, val_interval={every})
default_hooks = dict(checkpoint=dict(interval={every}))
"""
