"""An embedded DICOMweb server for files on disk: WADO-RS metadata, frames and instances (PS3.18 section 10.4)."""

from volstream.server.background import Server, serve

__all__ = ["Server", "serve"]
