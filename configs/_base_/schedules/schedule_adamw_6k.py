# For models without pretrained weights: AdamW 1e-3 for all layers, 100
# iterations of warm-up, poly 0.9, 6000 iterations, 40 epochs of ACDC's slices.
_base_ = './schedule_adamw_2k.py'
optim_wrapper = dict(
    optimizer=dict(lr=1e-3),
    paramwise_cfg=dict(_delete_=True, norm_decay_mult=0.0),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, begin=0,
         end=100),
    dict(type='PolyLR', eta_min=0.0, power=0.9, by_epoch=False, begin=100,
         end=6000),
]  # fmt: skip
train_cfg = dict(max_iters=6000, val_interval=2000)
