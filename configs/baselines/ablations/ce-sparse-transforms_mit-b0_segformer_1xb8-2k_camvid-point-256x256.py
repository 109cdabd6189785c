# Points that survive resizing, and crops that show some; else the baseline.
_base_ = [
    '../../_base_/models/segformer_mit-b0_camvid.py',
    '../../_base_/datasets/camvid_point_sparse.py',
    '../../_base_/schedules/schedule_adamw_2k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
