"""The situations: what is loaded, from where, and in which transfer syntaxes unless others are asked for."""

from __future__ import annotations

from typing import NamedTuple

from ..series import SYNTAXES


class Link(NamedTuple):
    """What lies between client and server: bit/s, and the seconds it adds to a round trip."""

    rate: float
    latency: float


class Scenario(NamedTuple):
    name: str
    title: str
    #: Rows of `series.KINDS`; several are loaded at once.
    kinds: tuple[str, ...] = ("ct",)
    syntaxes: tuple[str, ...] = ("htj2k",)
    #: None: a folder.
    server: str | None = None
    link: Link | None = None
    #: Nothing of the files is in memory.
    cold: bool = False


_ALL = tuple(SYNTAXES)
SCENARIOS = {
    row.name: row
    for row in (
        Scenario("folder", "A folder of files, in the page cache", syntaxes=_ALL),
        Scenario("cold", "A folder of files, none in the page cache", syntaxes=("uncompressed",), cold=True),
        Scenario("nginx", "WADO-RS, static files from nginx", syntaxes=_ALL, server="nginx"),
        Scenario("orthanc", "WADO-RS from Orthanc", syntaxes=("uncompressed", "jpeg-ls"), server="orthanc"),
        Scenario("link-30", "WADO-RS over 30 Mbit/s, 10 ms", ("ct-link",), server="nginx", link=Link(30e6, 0.010)),
        Scenario("link-200", "WADO-RS over 200 Mbit/s, 40 ms", ("ct-link",), server="nginx", link=Link(200e6, 0.040)),
        Scenario("link-1000", "WADO-RS over 1 Gbit/s, 5 ms", ("ct-link",), server="nginx", link=Link(1e9, 0.005)),
        Scenario("two", "Two CTs at once, WADO-RS from nginx", ("ct", "ct-b"), server="nginx"),
        Scenario("two-folders", "Two CTs at once, from folders", ("ct", "ct-b")),
        Scenario("pet", "PET with a slope for each slice, from a folder", ("pet",), ("jpeg-ls",)),
        Scenario("4d", "Ten time points in one folder", ("4d",), ("uncompressed",)),
        Scenario("enhanced", "Enhanced multi-frame, one file", ("enhanced",), ("uncompressed",)),
        Scenario("small", "Many small slices, from a folder", ("small",), ("uncompressed",)),
        Scenario("large", "One large frame, from a file", ("large",), ("htj2k",)),
        Scenario("real", "Real series (VOLSTREAM_TEST_DATA), from a folder", ("real",), ()),
    )
}

#: Server -> syntaxes that it does not serve as they are stored, and how that shows.
NOT_SERVED = {"orthanc": {"htj2k": "Orthanc answers 500, or labels HTJ2K as uncompressed"}}
