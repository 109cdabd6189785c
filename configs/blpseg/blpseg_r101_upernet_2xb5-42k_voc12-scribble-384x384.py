_base_ = [
    '../_base_/models/blp_r101_voc12.py',
    '../_base_/datasets/voc12_scribble_384.py',
    '../_base_/schedules/schedule_adamw_42k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
