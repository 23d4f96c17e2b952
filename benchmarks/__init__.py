"""This program beside its peers, and the record of what was measured: `python -m benchmarks`."""
