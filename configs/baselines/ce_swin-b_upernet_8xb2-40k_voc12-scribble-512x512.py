_base_ = [
    '../_base_/models/upernet_swin-b_voc12.py',
    '../_base_/datasets/voc12_scribble_colour.py',
    '../_base_/schedules/schedule_adamw_40k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
