# Crops of 320, a default of the authors' release that neither of its scripts
# uses: not what the printed results were made with.
_base_ = [
    '../_base_/models/afa_mit-b1_voc12.py',
    '../_base_/datasets/voc12_tag_320.py',
    '../_base_/schedules/schedule_adamw_20k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
model = dict(data_preprocessor=dict(size=(320, 320)))
tta_model = dict(type='MaxLogitsTTAModel')
