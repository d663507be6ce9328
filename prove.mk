# The proofs' own targets; `make prove` itself is the workshop's.
.PHONY: mutants

# Faults put into copies of the core, one at a time: how many do the property tests notice?
mutants: setup
	$(BIN)/python -m tests.property.mutants $(or $(ARGS),--sample 60 --seed 1)
