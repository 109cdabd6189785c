# Table 5: VGG16.
_base_ = [
    '../_base_/models/largefov_vgg16_coco17.py',
    '../_base_/datasets/coco17_hybrid.py',
    '../_base_/schedules/schedule_adam_296k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
train_dataloader = dict(
    sampler=dict(_delete_=True, type='StrongWeakSampler', strong=1, weak=1)
)
