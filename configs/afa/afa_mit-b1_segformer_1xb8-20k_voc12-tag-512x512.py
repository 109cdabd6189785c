# Crops as printed; the authors' release has 320x320 on VOC.
_base_ = [
    '../_base_/models/afa_mit-b1_voc12.py',
    '../_base_/datasets/voc12_tag.py',
    '../_base_/schedules/schedule_adamw_20k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
model = dict(data_preprocessor=dict(size=(512, 512)))
train_dataloader = dict(batch_size=8)
