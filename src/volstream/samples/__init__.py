"""Seeded sample series: a CT and a PET of the same synthetic patient, for tests, benchmarks and the demo."""

from volstream.samples.series import Truth, write_series
from volstream.samples.syntaxes import available_syntaxes, best_syntax

__all__ = ["Truth", "available_syntaxes", "best_syntax", "write_series"]
