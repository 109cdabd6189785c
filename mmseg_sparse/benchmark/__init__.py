"""Suites of trainings: run once, measured, put into one table."""
