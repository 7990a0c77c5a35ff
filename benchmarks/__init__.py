"""Measurements, one command each, JSON on stdout."""
