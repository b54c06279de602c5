"""Detectors as files that run without MMDetection, with their suppression inside."""
