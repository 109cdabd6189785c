# Figure 6: ResNet-50. Its splits are made by make_hybrid_split --share.
_base_ = [
    '../_base_/models/largefov_r101_voc12.py',
    '../_base_/datasets/voc12_hybrid.py',
    '../_base_/schedules/schedule_adam_85k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
model = dict(pretrained='open-mmlab://resnet50_v1c', backbone=dict(depth=50))
train_dataloader = dict(
    sampler=dict(_delete_=True, type='StrongWeakSampler', strong=1, weak=1)
)
