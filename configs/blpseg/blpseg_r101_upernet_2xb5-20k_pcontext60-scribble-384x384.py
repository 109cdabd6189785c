# 40 epochs of 4 998 images in batches of 10 are 20k iterations.
_base_ = [
    '../_base_/models/blp_r101_voc12.py',
    '../_base_/datasets/pcontext60_scribble_384.py',
    '../_base_/schedules/schedule_adamw_42k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
model = dict(decode_head=dict(num_classes=60))
param_scheduler = [
    dict(type='PolyLR', eta_min=0.0, power=0.9, by_epoch=False, begin=0,
         end=20000),
]  # fmt: skip
train_cfg = dict(max_iters=20000, val_interval=4000)
default_hooks = dict(checkpoint=dict(interval=4000))
