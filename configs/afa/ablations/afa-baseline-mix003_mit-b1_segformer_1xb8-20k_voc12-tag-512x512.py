# Table 9.
_base_ = './afa-baseline-par_mit-b1_segformer_1xb8-20k_voc12-tag-512x512.py'
model = dict(label_refiner=dict(w_mix=0.03))
