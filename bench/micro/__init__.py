"""The parts of a load by themselves: decoders, placing, header and multipart scanners, metadata, events."""
