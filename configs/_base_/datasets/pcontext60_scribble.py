# PASCAL-Context with strokes, 59 classes and the background.
#
# data/VOCdevkit/VOC2010/ is mmseg's folder; beside SegmentationClassContext
# lies ScribbleContext/, an 8-bit PNG an image: class index on the strokes, 255
# = no label here. 0 is background and is labelled too. Validation reads the
# dense SegmentationClassContext only.
_base_ = 'mmseg::_base_/datasets/pascal_context.py'
train_dataloader = dict(
    dataset=dict(data_prefix=dict(seg_map_path='ScribbleContext'))
)
tta_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='TestTimeAug', transforms=[
        [dict(type='Resize', scale_factor=ratio, keep_ratio=True)
         for ratio in (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)],
        [dict(type='RandomFlip', prob=0.0, direction='horizontal'),
         dict(type='RandomFlip', prob=1.0, direction='horizontal')],
        [dict(type='LoadAnnotations')],
        [dict(type='PackSegInputs')],
    ]),
]  # fmt: skip
val_evaluator = dict(type='ClassIoUMetric')
test_evaluator = val_evaluator
