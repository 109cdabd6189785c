# ADE20K with 20 % of each image labelled in blocks.
#
# data/ade/ADEChallengeData2016/ is mmseg's folder; beside annotations lies
# annotations_block20/training, in ADE20K's own numbering: 1..150 are the
# classes, 0 is "other or unlabelled" and 255 = no label here. The dataset
# (reduce_zero_label) makes 0..149 of the classes and 255 of 0.
_base_ = 'mmseg::_base_/datasets/ade20k.py'
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadSparseAnnotations'),
    *_base_.train_pipeline[2:-1],
    dict(type='PackSparseInputs'),
]
train_dataloader = dict(
    dataset=dict(
        type='SparseADE20KDataset',
        supervision='block',
        data_prefix=dict(seg_map_path='annotations_block20/training'),
        pipeline=train_pipeline,
    )
)
