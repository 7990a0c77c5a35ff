"""What benchmarks count must itself be right."""
