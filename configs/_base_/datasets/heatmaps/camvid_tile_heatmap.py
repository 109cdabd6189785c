# camvid_tile_hybrid.py for networks that refine heat maps: the strong images
# with the heat maps of LoadHeatmaps' root, which trl_pipeline sets. They are
# validated on the validation images, with heat maps of these.
_base_ = '../camvid_tile_hybrid.py'
train_pipeline = [
    *_base_.train_pipeline[:2],
    dict(type='LoadHeatmaps', root='work_dirs/heatmaps'),
    dict(
        type='MoveHeatmaps',
        transforms=[
            dict(
                type='RandomResize',
                scale=(160, 120),
                ratio_range=(1.0, 1.25),
                keep_ratio=True,
            ),
            dict(type='RandomCrop', crop_size=(120, 160)),
            dict(type='RandomFlip', prob=0.5),
        ],
    ),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackHeatmapInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadSparseAnnotations'),
    dict(type='LoadHeatmaps', root='work_dirs/heatmaps_val'),
    dict(type='PackHeatmapInputs'),
]
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        filter_cfg=dict(supervision='dense'), pipeline=train_pipeline
    ),
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
