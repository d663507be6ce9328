# How the core is compiled: in place, and only when its sources have changed.
CORE_BUILD = PYTHONPATH=src $(BIN)/python -m fondaco_build
