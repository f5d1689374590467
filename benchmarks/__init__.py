"""What our rooms cost, beside their peers: `python -m benchmarks` (see `--help`)."""
