# The whole recipe as printed, where the main config follows the authors'
# release: schedule, brightness, equation 7, and SegFormer's own strides.
_base_ = './sasformer_mit-b4_segformer_8xb2-80k_voc12-scribble-512x512.py'
model = dict(
    backbone=dict(strides=[4, 2, 2, 2]),
    regularizers=[
        dict(
            type='AttentionAffinityLoss',
            labeled=True,
            stage_reduction='mean',
            resize='prob',
            loss_weight=1.2,
        )
    ],
)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomResize', scale=(500, 500), ratio_range=(0.5, 2.0),
         keep_ratio=True),
    dict(type='RandomCrop', crop_size=(512, 512)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='RandomBrightness', delta=10),
    dict(type='PackSegInputs'),
]  # fmt: skip
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
