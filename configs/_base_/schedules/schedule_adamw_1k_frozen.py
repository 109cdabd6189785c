# As schedule_adamw_1k.py; the stem of a frozen backbone learns as the head.
_base_ = './schedule_adamw_1k.py'
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys={'stem': dict(lr_mult=5.0)})
)
