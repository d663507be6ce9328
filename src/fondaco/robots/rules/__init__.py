"""The language of rule bots, `$when … $do … $then`: its model, its validator and its evaluator.

Pure: no clock, files, network, database or Django. A worker hands in what it knows of the market
and gets back what the rule wishes, why, and the state to keep.
"""
