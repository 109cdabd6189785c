# AFA's: AdamW 6e-5, ten times that for the heads, 1500 iterations of warm-up,
# then linear to zero. The line starts at iteration 0, so that the warm-up ends
# at (20000 - 1500) / 20000 of the learning rate. The norms of the backbone are
# not trained: their names hold "norm", but for those after each stage.
_base_ = 'mmseg::_base_/schedules/schedule_20k.py'
fixed = dict(lr_mult=0.0, decay_mult=0.0)
optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(
        type='AdamW', lr=6e-5, betas=(0.9, 0.999), weight_decay=0.01
    ),
    paramwise_cfg=dict(
        custom_keys={
            'head': dict(lr_mult=10.0),
            'norm': fixed,
            'backbone.layers.0.2': fixed,
            'backbone.layers.1.2': fixed,
            'backbone.layers.2.2': fixed,
            'backbone.layers.3.2': fixed,
        }
    ),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, end_factor=0.925,
         by_epoch=False, begin=0, end=1500),
    dict(type='PolyLR', eta_min=0.0, power=1.0, by_epoch=False, begin=1500,
         end=20000),
]  # fmt: skip
