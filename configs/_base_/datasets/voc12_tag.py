# PASCAL VOC 2012, trainaug images with image-level tags alone.
#
# data/VOCdevkit/VOC2012/ is mmseg's folder; cls_labels_onehot.npy lies in it:
# a dict of 20 zeros and ones by image name, or name a labels.json of
# simulate_labels as `tag_file`. Samples have `gt_label`, and 255 everywhere.
_base_ = './voc12_scribble.py'
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadSparseAnnotations'),
    *_base_.train_pipeline[2:-1],
    dict(type='PackSparseInputs'),
]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='SparsePascalVOCDataset',
        supervision='tag',
        data_root=_base_.data_root,
        data_prefix=dict(img_path='JPEGImages'),
        ann_file='ImageSets/Segmentation/trainaug.txt',
        tag_file='cls_labels_onehot.npy',
        pipeline=train_pipeline,
    )
)
