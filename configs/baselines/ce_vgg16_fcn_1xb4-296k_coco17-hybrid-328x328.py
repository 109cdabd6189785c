# TRL, table 5 (FullSup, s20k): the strong images alone.
_base_ = [
    '../_base_/models/largefov_vgg16_coco17.py',
    '../_base_/datasets/coco17_hybrid.py',
    '../_base_/schedules/schedule_adam_296k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
model = dict(type='EncoderDecoder')
train_dataloader = dict(dataset=dict(filter_cfg=dict(supervision='dense')))
