"""What one NVIDIA GPU does with the course: `make gpu`, which is `python -m benchmarks.gpu`. See __main__.py."""
