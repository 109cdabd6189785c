"""The configs of a project with masks of some images and tags of others."""

from .config_text import (
    HERE,
    Project,
    classes_text,
    data_text,
    model_text,
    pipelines_text,
    schedule_text,
)

PIPELINE = 'pipeline.py'
#: The trainings of a pipeline and their configs.
TRAININGS = {
    'classifier': 'classifier.py',
    'dctn1': 'dctn1.py',
    'dctn2': 'dctn2.py',
    'final': 'config.py',
}
SEGFORMER = "'mmseg::_base_/models/segformer_mit-b0.py'"


def trl_files(project: Project) -> dict[str, str]:
    """Return the files of a project that ``trl_pipeline`` trains, by name.

    ``config.py`` is the final model, so that other tools find it where they
    find that of any project.

    Args:
        project: What the configs are written from.
    """
    schedule = schedule_text(project.recipe)
    parts = {
        'config.py': (SEGFORMER, _FINAL + model_text(project)),
        'classifier.py': (
            _shipped('_base_/models/cam_mit-b0_camvid.py'),
            _classifier(project),
        ),
        'dctn1.py': (
            _shipped('_base_/models/dctn_svt-tiny_toy.py'),
            _dctn(project),
        ),
    }
    files = {
        name: _head(model) + text + schedule
        for name, (model, text) in parts.items()
    }
    # No validation before the final model: it predicts, the others label.
    files['dctn1.py'] += (
        'val_dataloader = val_evaluator = val_cfg = None\n'
        'test_dataloader = test_evaluator = test_cfg = None\n'
    )
    files['dctn2.py'] = (
        "_base_ = './dctn1.py'\nmodel = dict(\n"
        "    decode_head=dict(type='DCTNFPNHead', fpn_channels=32, "
        'channels=32)\n)\n'
    )
    data = f'_base_ = [{_shipped("_base_/datasets/custom_sparse.py")}]\n'
    files['data.py'] = (
        f'# Written by: {project.command}\n{data}{classes_text(project)}\n'
        f'{pipelines_text(project)}\n{data_text(project)}'
    )
    files[PIPELINE] = _pipeline(project)
    return files


_FINAL = f"""\
work_dir = '{HERE}/run/final'
train_dataloader = dict(
    sampler=dict(_delete_=True, type='StrongWeakSampler', strong=1, weak=1)
)
"""


def _shipped(name: str) -> str:
    return f"__import__('mmseg_sparse').config({name!r})"


def _head(model: str) -> str:
    return f"""\
_base_ = [
    {model},
    './data.py',
    {_shipped('_base_/schedules/schedule_adamw_2k.py')},
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
"""


def _classifier(project: Project) -> str:
    text = model_text(project, afa=True)
    return (
        text
        + 'val_dataloader = val_evaluator = val_cfg = None\n'
        + ('test_dataloader = test_evaluator = test_cfg = None\n')
    )


def _dctn(project: Project) -> str:
    recipe, number = project.recipe, len(project.classes.names)
    scale = (recipe.scale, recipe.scale)
    return f"""\
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadSparseAnnotations'),
    dict(type='LoadHeatmaps', root='heatmaps'),  # trl_pipeline sets the root
    dict(
        type='MoveHeatmaps',
        transforms=[
            dict(
                type='RandomResize',
                scale={scale},
                ratio_range=(1.0, 1.25),
                keep_ratio=True,
            ),
            dict(type='RandomCrop', crop_size={recipe.crop}),
            dict(type='RandomFlip', prob=0.5),
        ],
    ),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackHeatmapInputs'),
]
train_dataloader = dict(
    dataset=dict(
        filter_cfg=dict(supervision='dense'), pipeline=train_pipeline
    )
)
# A network for CPUs; _base_/models/dctn_svt-s.py is that of the paper.
model = dict(
    data_preprocessor=dict(size={recipe.crop}),
    backbone=dict(heatmap_channels={number}),
    decode_head=dict(num_classes={number}),
)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
"""


def _pipeline(project: Project) -> str:
    lines = [f'{name} = {file!r}\n' for name, file in TRAININGS.items()]
    return (
        '# The stages of TRL, for trl_pipeline.\n'
        f"split = '{HERE}/train.txt'\nwork_dir = '{HERE}/run'\n"
        + ''.join(lines)
        + f'background = {project.background}\n'
        'dense_masks = None  # of images with tags, to measure the stages\n'
    )
