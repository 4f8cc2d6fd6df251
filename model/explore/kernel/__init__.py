"""The compiled form of a protocol in a configuration: grounded, packed into bits, straight-line code."""
