# PASCAL VOC 2012, trainaug images with image-level tags alone.
#
# data/VOCdevkit/VOC2012/ is mmseg's folder; cls_labels_onehot.npy lies in it:
# a dict of 20 zeros and ones by image name, or name a labels.json of
# simulate_labels as `tag_file`. Samples have `gt_label`, and 255 everywhere.
# The validation images have tags too, from their masks, for PseudoLabelMetric.
# Test-time augmentation is that of AFA's release: the long side at 512, at a
# half and at three quarters of that, each with its mirror image.
_base_ = './voc12_scribble.py'
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadSparseAnnotations'),
    *_base_.train_pipeline[2:-1],
    dict(type='PackSparseInputs'),
]
test_pipeline = [
    *_base_.test_pipeline[:-1],
    dict(type='PackSparseInputs', num_classes=21, background=0),
]
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='TestTimeAug', transforms=[
        [dict(type='Resize', scale=(side, side), keep_ratio=True)
         for side in (512, 256, 384)],
        [dict(type='RandomFlip', prob=0.0, direction='horizontal'),
         dict(type='RandomFlip', prob=1.0, direction='horizontal')],
        [dict(type='LoadAnnotations')],
        [dict(type='PackSegInputs')],
    ]),
]  # fmt: skip
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        _delete_=True,
        type='SparsePascalVOCDataset',
        supervision='tag',
        data_root=_base_.data_root,
        data_prefix=dict(img_path='JPEGImages'),
        ann_file='ImageSets/Segmentation/trainaug.txt',
        tag_file='cls_labels_onehot.npy',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
