# pcontext60_scribble.py with crops of 512x512, mmseg's 480x480 otherwise.
# Multi-scale testing is 0.5-1.75 of the 520x520 that images are tested at.
_base_ = './pcontext60_scribble.py'
_base_.train_pipeline[3].crop_size = (512, 512)
train_dataloader = dict(
    batch_size=2, dataset=dict(pipeline=_base_.train_pipeline)
)
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='TestTimeAug', transforms=[
        [dict(type='Resize', scale=(int(520 * ratio), int(520 * ratio)),
              keep_ratio=True)
         for ratio in (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)],
        [dict(type='RandomFlip', prob=0.0, direction='horizontal'),
         dict(type='RandomFlip', prob=1.0, direction='horizontal')],
        [dict(type='LoadAnnotations')],
        [dict(type='PackSegInputs')],
    ]),
]  # fmt: skip
