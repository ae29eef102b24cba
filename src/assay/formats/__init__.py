"""File formats and texts: parsers and quantities. Nothing here knows a platform."""
