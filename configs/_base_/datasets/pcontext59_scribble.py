# PASCAL-Context with strokes, the 59 classes alone.
#
# The files of pcontext60_scribble.py: 0, the background, turns into "no
# label" (reduce_zero_label of mmseg's dataset), and 1..59 into 0..58.
_base_ = 'mmseg::_base_/datasets/pascal_context_59.py'
train_dataloader = dict(
    dataset=dict(data_prefix=dict(seg_map_path='ScribbleContext'))
)
val_evaluator = dict(type='ClassIoUMetric')
test_evaluator = val_evaluator
