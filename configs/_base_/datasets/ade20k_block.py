# ADE20K with 20 % of each image labelled in blocks.
#
# data/ade/ADEChallengeData2016/ is mmseg's folder; beside annotations lies
# annotations_block20/training. Files in ADE20K's own numbering have the
# classes as 1..150 and "other or unlabelled" as 0, of which the dataset
# (reduce_zero_label) makes 0..149 and 255. Files of simulate_labels have
# 0..149 already: their labels.json says so, and the dataset heeds it.
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
val_evaluator = dict(type='ClassIoUMetric')
test_evaluator = val_evaluator
