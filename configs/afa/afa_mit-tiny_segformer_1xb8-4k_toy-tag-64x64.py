_base_ = [
    '../_base_/models/afa_mit-tiny_toy.py',
    '../_base_/datasets/toy_tag.py',
    '../_base_/schedules/schedule_adamw_toy_2k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
model = dict(segmentation_begin=1200, propagation_begin=3000)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=50),
    dict(type='PolyLR', power=0.9, by_epoch=False, begin=50, end=4000),
]
train_cfg = dict(max_iters=4000)
