"""Checks a second and memory: ours beside bare DeepFace.verify."""
