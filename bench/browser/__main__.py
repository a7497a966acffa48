"""Builds the page, if it is not built yet: python -m volstream.bench.browser"""

import sys

from . import build

try:
    build()
except RuntimeError as error:
    sys.exit(f"Cornerstone3D's page: {error}")
