# Table 8.
_base_ = './afa-baseline-par_mit-b1_segformer_1xb8-20k_voc12-tag-512x512.py'
model = dict(label_refiner=dict(dilations=(1, 2, 4, 8)))
