# Table 8: activation maps refined by a dense CRF.
_base_ = './afa-baseline-pseudo_mit-b1_segformer_1xb8-20k_voc12-tag-512x512.py'
model = dict(label_refiner=dict(_delete_=True, type='DenseCRF', scale=0.5))
