# TRL's segmentation on VOC: Adam 1e-4, 32 epochs of 10 582 images in batches
# of 4. Its decay of 0.1 is the learning rate's here, after two thirds.
_base_ = './schedule_adam_27k.py'
param_scheduler = [
    dict(type='MultiStepLR', milestones=[56000], gamma=0.1, by_epoch=False,
         begin=0, end=85000),
]  # fmt: skip
train_cfg = dict(max_iters=85000, val_interval=8500)
default_hooks = dict(checkpoint=dict(interval=8500))
