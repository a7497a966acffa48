"""What is varied, over which values, and who is measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..machine import cores
from ..scenarios.table import Link, Scenario


class Axis(NamedTuple):
    name: str
    title: str
    #: From few to many.
    values: tuple[float, ...]
    syntax: str
    #: The scenario at a value.
    scenario: Callable[[float], Scenario]
    #: What volstream is told at a value.
    options: Callable[[float], dict[str, Any]]
    #: Loaders beside volstream: names.
    others: tuple[str, ...] = ()
    #: The series has so many slices as the value says.
    counts_slices: bool = False


def _nothing(value: float) -> dict[str, Any]:
    return {}


def axes() -> tuple[Axis, ...]:
    folder = Scenario("slices", "slices", ("small",))
    ct = Scenario("workers", "workers", ("ct-link",))
    far = Scenario("connections", "connections", ("ct-link",), server="nginx", link=Link(1e9, 0.020))
    clients = ("dicomweb-client + pydicom, threads",)
    workers = tuple(float(n) for n in sorted({1, *(2**n for n in range(10) if 2**n <= cores()), cores()}))
    return (
        Axis(
            "slices",
            "slices of 128 x 128 in a folder, uncompressed",
            (50, 100, 300, 1000, 3000),
            "uncompressed",
            lambda value: folder,
            _nothing,
            ("pydicom", "SimpleITK", "dicomsdl"),
            counts_slices=True,
        ),
        Axis(
            "workers", "workers, HTJ2K in a folder", workers, "htj2k", lambda value: ct, lambda n: {"workers": int(n)}
        ),
        Axis(
            "connections",
            "connections, HTJ2K over 1 Gbit/s with 20 ms",
            (1, 2, 4, 8, 16, 32, 64),
            "htj2k",
            lambda value: far,
            lambda n: {"connections": int(n)},
        ),
        Axis(
            "latency",
            "milliseconds of latency, HTJ2K over 1 Gbit/s",
            (0, 5, 10, 20, 50, 100),
            "htj2k",
            lambda value: far._replace(link=Link(1e9, value / 1e3)),
            _nothing,
            clients,
        ),
    )
