# Table 3, AFA without propagation.
_base_ = '../afa_mit-b1_segformer_1xb8-20k_voc12-tag-512x512.py'
model = dict(propagation=None)
