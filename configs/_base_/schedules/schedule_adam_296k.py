# TRL's segmentation on COCO: Adam 1e-4, 10 epochs of 118 287 images in batches
# of 4. Its decay of 0.1 is the learning rate's here, after two thirds.
_base_ = './schedule_adam_27k.py'
param_scheduler = [
    dict(type='MultiStepLR', milestones=[197000], gamma=0.1, by_epoch=False,
         begin=0, end=296000),
]  # fmt: skip
train_cfg = dict(max_iters=296000, val_interval=29600)
default_hooks = dict(checkpoint=dict(interval=29600))
