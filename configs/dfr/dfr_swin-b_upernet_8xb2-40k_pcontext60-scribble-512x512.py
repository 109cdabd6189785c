_base_ = [
    '../_base_/models/upernet_swin-b_voc12.py',
    '../_base_/datasets/pcontext60_scribble_512.py',
    '../_base_/schedules/schedule_adamw_40k.py',
    'mmseg::_base_/default_runtime.py',
]
custom_imports = dict(imports=['mmseg_sparse'], allow_failed_imports=False)
model = dict(
    type='SparseEncoderDecoder',
    decode_head=dict(num_classes=60),
    auxiliary_head=dict(num_classes=60),
    regularizers=[
        dict(
            type='DFRLoss',
            in_channels=2048,
            feature_from='decode_head.fpn_bottleneck',
        )
    ],
)
