# Measures pseudo labels, step by step: table 3.
_base_ = '../afa_mit-b1_segformer_1xb8-20k_voc12-tag-512x512.py'
model = dict(test_cfg=dict(pseudo_labels=True))
val_evaluator = dict(_delete_=True, type='PseudoLabelMetric')
test_evaluator = val_evaluator
