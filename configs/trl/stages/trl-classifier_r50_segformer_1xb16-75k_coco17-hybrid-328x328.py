_base_ = [
    '../../_base_/models/cam_r50_voc12.py',
    '../../_base_/datasets/coco17_hybrid.py',
    '../../_base_/schedules/schedule_adam_75k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
model = dict(decode_head=dict(num_classes=81))
train_dataloader = dict(batch_size=16)
train_cfg = dict(max_iters=75000, val_interval=75000)
param_scheduler = [
    dict(type='PolyLR', eta_min=0.0, power=0.9, by_epoch=False, begin=0,
         end=75000),
]  # fmt: skip
