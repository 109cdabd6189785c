# Half as long as schedule_adamw_2k.py.
_base_ = './schedule_adamw_2k.py'
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, begin=0,
         end=100),
    dict(type='PolyLR', eta_min=0.0, power=0.9, by_epoch=False, begin=100,
         end=1000),
]  # fmt: skip
train_cfg = dict(max_iters=1000)
default_hooks = dict(checkpoint=dict(interval=250))
