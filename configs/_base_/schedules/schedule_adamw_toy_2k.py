# For training from scratch in a minute or two: AdamW 3e-3, poly 0.9.
_base_ = './schedule_adamw_2k.py'
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=3e-3, weight_decay=0.01),
    paramwise_cfg=dict(norm_decay_mult=0.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=50),
    dict(type='PolyLR', eta_min=0.0, power=0.9, by_epoch=False, begin=50,
         end=2000),
]  # fmt: skip
train_cfg = dict(val_interval=2000)
default_hooks = dict(logger=dict(interval=100), checkpoint=dict(interval=2000))
