"""Servers on loopback, each for as long as a block lasts: nginx, Orthanc, and a slow link before either."""


class NotInstalledError(FileNotFoundError):
    """This machine does not have the server."""
