_base_ = [
    '../_base_/models/blp_dinov2-s_camvid.py',
    '../_base_/datasets/camvid_whole_scribble.py',
    '../_base_/schedules/schedule_adamw_1k_frozen.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
