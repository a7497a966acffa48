"""docs/difficult-series.md keeps up with the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from volstream.plan.options import POLICIES

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "difficult-series.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_is_documented(policy: str) -> None:
    assert f"`{policy}=" in DOCUMENT or f', {policy}="' in DOCUMENT


def test_the_list_of_findings_is_complete() -> None:
    sources = (ROOT / "src" / "volstream" / "plan").glob("*.py")
    made = {
        kind for path in sources for kind in re.findall(r'Finding\(\s*"([\w-]+)"', path.read_text(encoding="utf-8"))
    }
    listed = set(re.findall(r"`([\w-]+)`", DOCUMENT.partition("## Findings")[2]))
    assert made == listed
