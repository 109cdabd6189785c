# CamVid in tiles of 120x160 with tags: the classes that cover at least 2 % of
# a tile. data/camvid_tiles/{train,val} are made by tile_dataset, see
# configs/afa/README.md. Training samples have `gt_label`, and 255 everywhere;
# those for validation tags and dense masks, for PseudoLabelMetric. CamVid has
# no background: all 11 classes are tags.
_base_ = './camvid_dense.py'
dataset_type = 'SparseSegDataset'
data_root = 'data/camvid_tiles'
classes = ('sky', 'building', 'pole', 'road', 'pavement', 'tree', 'sign',
           'fence', 'car', 'pedestrian', 'bicyclist')  # fmt: skip
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadSparseAnnotations'),
    # Enlarged little: the tags are those of the whole tile.
    dict(type='RandomResize', scale=(160, 120), ratio_range=(1.0, 1.25),
         keep_ratio=True),
    dict(type='RandomCrop', crop_size=(120, 160)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSparseInputs'),
]  # fmt: skip
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadSparseAnnotations'),
    dict(type='PackSparseInputs'),
]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        supervision='tag',
        classes=classes,
        background=None,
        data_root=data_root,
        data_prefix=dict(img_path='train/images'),
        ann_file='train/labels.json',
        img_suffix='.png',
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        supervision='dense',
        classes=classes,
        background=None,
        data_root=data_root,
        data_prefix=dict(img_path='val/images', seg_map_path='val/masks'),
        tag_file='val/labels.json',
        img_suffix='.png',
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='ClassIoUMetric', iou_metrics=['mIoU', 'mDice']),
    dict(type='BoundaryIoUMetric'),
    dict(type='PseudoLabelMetric'),
]
test_evaluator = val_evaluator
