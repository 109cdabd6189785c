# Crops of 512, as printed and as in the log of the authors' release.
_base_ = [
    '../_base_/models/afa_mit-b1_voc12.py',
    '../_base_/datasets/voc12_tag.py',
    '../_base_/schedules/schedule_adamw_20k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
tta_model = dict(type='MaxLogitsTTAModel')
