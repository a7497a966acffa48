"""The command line: `volstream info`, `volstream load`, and the way to `volstream bench`."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import __version__
from .errors import UsageError, VolstreamError

if TYPE_CHECKING:
    from .plan import VolumePlan

_EPILOG = """\
exit status: 0 done, 1 the source or its data are at fault, 2 wrong usage, 130 interrupted

examples:
  volstream info                             the decoder of each transfer syntax
  volstream info SERIES                      shape, spacing, dtype and findings, without reading pixels
  volstream load SERIES --out ct.nii.gz      load, and write NIfTI, NRRD, NPY, Zarr or a PNG montage
  volstream load URL -H 'Authorization: Bearer TOKEN' --out ct.nrrd
  volstream load SERIES -o gaps=fill -o dtype=float32 --out ct.npy
  volstream load URL -o cache_dir=~/.cache/volstream    keep the volume on disk: the next load takes milliseconds
  volstream bench --help                     measure it beside other loaders (pip install 'volstream[bench]')
"""


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["bench"]:  # which has a command line of its own
        return _bench(words[1:])
    arguments = _parser().parse_args(words)
    logging.basicConfig(level=logging.DEBUG if arguments.verbose else logging.ERROR, format="%(name)s: %(message)s")
    try:
        return int(arguments.run(arguments))
    except VolstreamError as error:
        print(f"volstream: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        print("volstream: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="volstream",
        description="Load DICOM series into one volume.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"volstream {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="machine-readable output")
    common.add_argument("-v", "--verbose", action="store_true", help="log what happens")
    common.add_argument(
        "-o",
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any option of volstream.load, e.g. gaps=fill, select=1, executor=processes, connections=24",
    )
    common.add_argument(
        "-H", "--header", action="append", default=[], metavar="'NAME: VALUE'", help="HTTP header for every request"
    )

    info = commands.add_parser("info", parents=[common], help="what a series is, or which decoders there are")
    info.add_argument("source", nargs="?", metavar="SOURCE", help="folder, file, glob, zip, or DICOMweb series URL")
    info.set_defaults(run=_info)

    load = commands.add_parser("load", parents=[common], help="load a series and write it to a file")
    load.add_argument("source", metavar="SOURCE", help="folder, file, glob, zip, or DICOMweb series URL")
    load.add_argument("--out", metavar="FILE", help="write .nii, .nii.gz, .nrrd, .npy, .zarr or .png")
    load.add_argument(
        "--on-error", choices=("raise", "fill"), default="raise", help="what to do if a slice fails (default: raise)"
    )
    load.add_argument("-q", "--quiet", action="store_true", help="no progress bar")
    load.set_defaults(run=_load)

    commands.add_parser("bench", help="measure volstream beside other loaders on this machine", add_help=False)
    return parser


def _bench(words: Sequence[str]) -> int:
    try:
        command = import_module("volstream.bench.command")
    except ModuleNotFoundError as error:
        print(f"volstream: no {error.name}: pip install 'volstream[bench]'", file=sys.stderr)
        return 2
    return int(command.main(words))


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for text in arguments.option:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"an option is NAME=VALUE, not {text!r}")
        try:
            options[name] = json.loads(value)
        except ValueError:
            options[name] = value
    headers = {}
    for text in arguments.header:
        name, colon, value = text.partition(":")
        if not colon:
            raise UsageError("a header is 'NAME: VALUE'")
        headers[name.strip()] = value.strip()
    if headers:
        options["headers"] = headers
    return options


def _info(arguments: argparse.Namespace) -> int:
    if arguments.source is None:
        from .decoders import decoder_table, library_table

        if arguments.json:
            print(json.dumps({"version": __version__, "decoders": decoder_table(), "libraries": library_table()}))
        else:
            print(f"volstream {__version__}\n")
            _print_table(decoder_table())
            print()
            _print_table(library_table())
        return 0
    from .api import inspect

    plan = inspect(arguments.source, **_options(arguments))
    facts = _facts(plan)
    if arguments.json:
        print(json.dumps(facts))
    else:
        _print_facts(facts)
    return 0


def _load(arguments: argparse.Namespace) -> int:
    from .api import load

    if arguments.out:
        from .adapters.files import check

        check(arguments.out)  # before the work, not after
    show = not arguments.quiet and not arguments.json and sys.stderr.isatty()
    begin = time.perf_counter()
    volume = load(arguments.source, on_error=arguments.on_error, progress=show, **_options(arguments))
    with volume:
        facts = {
            "shape": list(volume.shape),
            "dtype": str(volume.dtype),
            "units": volume.units,
            "spacing": [round(float(value), 6) for value in volume.spacing],
            "range": list(volume.range),
            "seconds": round(time.perf_counter() - begin, 3),
            "failed": {str(index): str(error) for index, error in volume.errors.items()},
            "findings": [finding.message for finding in volume.geometry.findings],
        }
        if arguments.out:
            from .adapters.files import save

            save(volume, arguments.out)
            facts["out"] = arguments.out
    if arguments.json:
        print(json.dumps(facts))
    else:
        _print_facts(facts)
    return 0


def _facts(plan: VolumePlan) -> dict[str, Any]:
    records = [slot.record for slot in plan.slots if slot.record is not None]
    first = records[0]
    return {
        "modality": first.series.modality,
        "description": first.series.description,
        "shape": list(plan.shape),
        "dtype": str(plan.dtype),
        "units": plan.units,
        "spacing": [round(float(value), 6) for value in plan.geometry.spacing],
        "origin": [round(float(value), 6) for value in plan.geometry.origin],
        "transfer syntaxes": sorted({record.transfer_syntax for record in records}),
        "slices": len(plan.slots),
        "missing": len(plan.slots) - len(records),
        "findings": [finding.message for finding in plan.geometry.findings],
    }


def _print_facts(facts: dict[str, Any]) -> None:
    width = max(map(len, facts))
    for name, value in facts.items():
        if name == "shape":
            value = " x ".join(map(str, value))
        elif isinstance(value, dict):
            value = [f"slice {key}: {text}" for key, text in value.items()]
        if isinstance(value, list):
            value = (f"\n{' ' * (width + 2)}" if name in ("findings", "failed") else "  ").join(map(str, value))
        if value not in ("", None):
            print(f"{name:<{width}}  {value}")


def _print_table(rows: list[dict[str, Any]]) -> None:
    columns = list(rows[0])
    widths = [max(len(name), *(len(str(row[name])) for row in rows)) for name in columns]
    for row in ({name: name for name in columns}, *rows):
        print("  ".join(f"{row[name]!s:<{width}}" for name, width in zip(columns, widths, strict=True)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
