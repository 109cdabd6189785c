_base_ = [
    '../_base_/models/segformer_mit-tiny_toy.py',
    '../_base_/datasets/toy_point.py',
    '../_base_/schedules/schedule_adamw_toy_2k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
