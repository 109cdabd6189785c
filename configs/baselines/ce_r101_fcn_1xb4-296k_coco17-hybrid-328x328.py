# The strong images of TRL alone.
_base_ = [
    '../_base_/models/largefov_r101_voc12.py',
    '../_base_/datasets/coco17_hybrid.py',
    '../_base_/schedules/schedule_adam_296k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
model = dict(type='EncoderDecoder', decode_head=dict(num_classes=81))
train_dataloader = dict(dataset=dict(filter_cfg=dict(supervision='dense')))
