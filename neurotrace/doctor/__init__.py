"""Is this model measured rightly here? ``python -m neurotrace.doctor MODEL``."""

from neurotrace.doctor.diagnosis import diagnose

__all__ = ["diagnose"]
