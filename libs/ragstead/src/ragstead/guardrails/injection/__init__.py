"""How probable it is that a text holds instructions for a language model that do not belong there."""

from ragstead.guardrails.injection.detector import InjectionDetector, injection_score, read_detector, shipped_detector

__all__ = ["InjectionDetector", "injection_score", "read_detector", "shipped_detector"]
