"""The figures the package holds itself to."""
