# voc12_scribble.py as BLPSeg reads it: images resized by 0.75-1.25, crops of
# 384x384.
_base_ = './voc12_scribble.py'
_base_.train_pipeline[2].ratio_range = (0.75, 1.25)
_base_.train_pipeline[3].crop_size = (384, 384)
train_dataloader = dict(
    batch_size=5, dataset=dict(pipeline=_base_.train_pipeline)
)
