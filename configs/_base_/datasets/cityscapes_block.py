# Cityscapes with 20 % of each image labelled in blocks.
#
# data/cityscapes/ is mmseg's folder; beside gtFine lies gtBlock20/train, in
# Cityscapes' own numbering: label ids 0..33, 255 = no label here. Ids that are
# not evaluated are no label either. For blocks made of train ids set
# seg_map_suffix. Validation reads the dense train ids.
_base_ = 'mmseg::_base_/datasets/cityscapes.py'
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadSparseAnnotations'),
    *_base_.train_pipeline[2:-1],
    dict(type='PackSparseInputs'),
]
train_dataloader = dict(
    dataset=dict(
        type='SparseCityscapesDataset',
        supervision='block',
        data_prefix=dict(seg_map_path='gtBlock20/train'),
        pipeline=train_pipeline,
    )
)
val_evaluator = dict(type='ClassIoUMetric')
test_evaluator = val_evaluator
