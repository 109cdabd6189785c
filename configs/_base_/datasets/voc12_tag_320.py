# voc12_tag.py as AFA's authors released it: crops of 320x320, 8 images. The
# validation images have tags too, from their masks, for PseudoLabelMetric.
_base_ = './voc12_tag.py'
_base_.train_pipeline[3].crop_size = (320, 320)
test_pipeline = [
    *_base_.test_pipeline[:-1],
    dict(type='PackSparseInputs', num_classes=21, background=0),
]
train_dataloader = dict(
    batch_size=8, dataset=dict(pipeline=_base_.train_pipeline)
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
