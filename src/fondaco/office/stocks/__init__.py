"""Users who trade stocks priced by a stream: the dealer market as its older callers know it."""
