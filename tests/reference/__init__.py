"""Slow, literal float64 forms of the papers' formulas."""
