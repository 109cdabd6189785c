# TRL, figure 5 (SupOnly): the strong images alone.
_base_ = [
    '../_base_/models/largefov_r101_voc12.py',
    '../_base_/datasets/voc12_hybrid.py',
    '../_base_/schedules/schedule_adam_85k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
model = dict(type='EncoderDecoder')
train_dataloader = dict(dataset=dict(filter_cfg=dict(supervision='dense')))
