_base_ = [
    '../_base_/models/fcn_unet-16_acdc.py',
    '../_base_/datasets/acdc_dense.py',
    '../_base_/schedules/schedule_adamw_6k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
