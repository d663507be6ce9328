"""The core's own tests; `make test` runs them on both builds."""
