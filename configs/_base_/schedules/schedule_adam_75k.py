# TRL's refinement on COCO: Adam 1e-4, 30 epochs of 20k images in batches of 8.
# Its decay of 0.1 is the learning rate's here, after two thirds.
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-4))
param_scheduler = [
    dict(type='MultiStepLR', milestones=[50000], gamma=0.1, by_epoch=False,
         begin=0, end=75000),
]  # fmt: skip
train_cfg = dict(type='IterBasedTrainLoop', max_iters=75000, val_interval=7500)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='CheckpointHook',
        by_epoch=False,
        interval=7500,
        max_keep_ckpts=2,
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='SegVisualizationHook'),
)
