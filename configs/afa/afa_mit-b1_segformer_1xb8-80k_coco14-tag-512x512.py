# The classifier alone for 5k iterations, then 15k without propagation.
_base_ = [
    '../_base_/models/afa_mit-b1_voc12.py',
    '../_base_/datasets/coco14_tag.py',
    '../_base_/schedules/schedule_adamw_80k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
model = dict(
    data_preprocessor=dict(size=(512, 512)),
    decode_head=dict(num_classes=81),
    segmentation_begin=5000,
    propagation_begin=20000,
)
train_dataloader = dict(batch_size=8)
