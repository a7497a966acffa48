"""The series that are measured: generated ones, seeded, written once into a folder, and real ones where there are."""

from .catalogue import KINDS, SYNTAXES, Catalogue, NoEncoderError, Series, Size

__all__ = ["KINDS", "SYNTAXES", "Catalogue", "NoEncoderError", "Series", "Size"]
