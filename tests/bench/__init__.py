"""Measurements: ``make bench`` writes docs/benchmarks.md. Timing is reported here, never asserted in a test."""
