# voc12_hybrid.py for networks that refine heat maps: the strong images with
# the heat maps of LoadHeatmaps' root, which trl_pipeline sets. There is no
# validation: heat maps are made of the training images alone.
_base_ = '../voc12_hybrid.py'
train_pipeline = [
    *_base_.train_pipeline[:2],
    dict(type='LoadHeatmaps', root='work_dirs/heatmaps'),
    dict(
        type='MoveHeatmaps',
        transforms=[
            dict(
                type='RandomResize',
                scale=(500, 500),
                ratio_range=(0.5, 2.0),
                keep_ratio=True,
            ),
            dict(type='RandomCrop', crop_size=(320, 320)),
            dict(type='RandomFlip', prob=0.5),
        ],
    ),
    dict(type='PackHeatmapInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadSparseAnnotations'),
    dict(type='LoadHeatmaps', root='work_dirs/heatmaps'),
    dict(type='PackHeatmapInputs'),
]
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        filter_cfg=dict(supervision='dense'), pipeline=train_pipeline
    ),
)
val_dataloader = None
val_evaluator = None
test_dataloader = None
test_evaluator = None
