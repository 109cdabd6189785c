# pcontext59_scribble.py with crops of 512x512, mmseg's 480x480 otherwise.
_base_ = './pcontext59_scribble.py'
_base_.train_pipeline[3].crop_size = (512, 512)
train_dataloader = dict(
    batch_size=2, dataset=dict(pipeline=_base_.train_pipeline)
)
