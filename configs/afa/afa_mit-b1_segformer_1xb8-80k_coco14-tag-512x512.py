# The classifier alone for 5k iterations; from 15k on both branches learn from
# propagated labels; 15 iterations of PAR. As in the authors' release.
_base_ = [
    '../_base_/models/afa_mit-b1_voc12.py',
    '../_base_/datasets/coco14_tag.py',
    '../_base_/schedules/schedule_adamw_80k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
model = dict(
    decode_head=dict(num_classes=81),
    label_refiner=dict(type='PixelAdaptiveRefinement', num_iters=15),
    segmentation_begin=5000,
    propagation_begin=15000,
    affinity_from='final',
    log_class_shares=False,  # of 80 classes
)
train_dataloader = dict(batch_size=8)
