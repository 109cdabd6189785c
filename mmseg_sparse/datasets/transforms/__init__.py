"""Pipeline transforms that make sparse labels or keep them alive."""
