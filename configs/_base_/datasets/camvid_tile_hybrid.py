# CamVid in tiles of 120x160, of which some have masks and the others tags
# alone. data/camvid_tiles/{train,val} are made by tile_dataset and
# train/hybrid.txt by make_hybrid_split: see configs/trl/README.md. CamVid has
# no background: all 11 classes are tags.
_base_ = './camvid_tile_tag.py'
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type=_base_.dataset_type,
        classes=_base_.classes,
        background=None,
        data_root=_base_.data_root,
        data_prefix=dict(
            img_path='train/images',
            seg_map_path='train/masks',
            pseudo='pseudo_labels',
        ),
        ann_file='train/hybrid.txt',
        tag_file='train/labels.json',
        img_suffix='.png',
        pipeline=_base_.train_pipeline,
    )
)
val_evaluator = [
    dict(type='ClassIoUMetric', iou_metrics=['mIoU', 'mDice']),
    dict(type='BoundaryIoUMetric'),
]
test_evaluator = val_evaluator
