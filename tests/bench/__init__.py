"""Measurements: ``make bench`` writes docs/benchmarks.md. Timing is reported, never asserted in a test."""
