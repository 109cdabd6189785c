_base_ = [
    '../../_base_/models/dctn_svt-tiny_toy.py',
    '../../_base_/datasets/heatmaps/toy_heatmap.py',
    '../../_base_/schedules/schedule_adamw_toy_1k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
