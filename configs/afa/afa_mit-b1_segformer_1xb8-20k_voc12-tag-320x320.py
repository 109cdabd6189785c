_base_ = [
    '../_base_/models/afa_mit-b1_voc12.py',
    '../_base_/datasets/voc12_tag_320.py',
    '../_base_/schedules/schedule_adamw_20k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
