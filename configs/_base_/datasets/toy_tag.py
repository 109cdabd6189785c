# The toy shapes with tags: 1 or 2 shapes an image and many images, made as
# configs/afa/README.md says. Training samples have `gt_label`, and 255
# everywhere; those for validation tags and dense masks, for
# PseudoLabelMetric.
_base_ = './toy_dense.py'
data_root = 'work_dirs/toy_tags'
train_pipeline = [
    *_base_.train_pipeline[:2],
    dict(type='SimulateTags', num_classes=7, background=0),
    *_base_.train_pipeline[2:-1],
    dict(type='PackSparseInputs'),
]
test_pipeline = [
    *_base_.test_pipeline[:-1],
    dict(type='PackSparseInputs', num_classes=7, background=0),
]
train_dataloader = dict(
    dataset=dict(data_root=data_root, pipeline=train_pipeline)
)
val_dataloader = dict(
    dataset=dict(data_root=data_root, pipeline=test_pipeline)
)
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='ClassIoUMetric', iou_metrics=['mIoU', 'mDice']),
    dict(type='BoundaryIoUMetric'),
    dict(type='PseudoLabelMetric'),
]
test_evaluator = val_evaluator
