# voc12_hybrid.py for networks that refine heat maps: the strong images with
# the heat maps of LoadHeatmaps' root, which trl_pipeline sets. They
# are validated on the validation images, with heat maps of these.
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
    dict(type='LoadAnnotations'),
    dict(type='LoadHeatmaps', root='work_dirs/heatmaps_val'),
    dict(type='PackHeatmapInputs', num_classes=21, background=0),
]
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        filter_cfg=dict(supervision='dense'), pipeline=train_pipeline
    ),
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
