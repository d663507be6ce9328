"""The native API of the office under /api/v1: what its pages do, for programs."""
