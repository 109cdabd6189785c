_base_ = [
    '../../_base_/models/cam_r50_voc12.py',
    '../../_base_/datasets/voc12_hybrid.py',
    '../../_base_/schedules/schedule_adam_27k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
train_dataloader = dict(batch_size=16)
train_cfg = dict(max_iters=10000, val_interval=10000)
param_scheduler = [
    dict(type='PolyLR', eta_min=0.0, power=0.9, by_epoch=False, begin=0,
         end=10000),
]  # fmt: skip
