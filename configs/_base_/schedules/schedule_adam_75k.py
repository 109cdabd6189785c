# TRL's refinement on COCO: Adam 1e-4, 30 epochs of 20k images in batches of 8.
# Its decay of 0.1 is the learning rate's here, after two thirds.
_base_ = './schedule_adam_27k.py'
param_scheduler = [
    dict(type='MultiStepLR', milestones=[50000], gamma=0.1, by_epoch=False,
         begin=0, end=75000),
]  # fmt: skip
train_cfg = dict(max_iters=75000, val_interval=7500)
default_hooks = dict(checkpoint=dict(interval=7500))
