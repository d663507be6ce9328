"""Rule bots as members see them: opened, switched, changed, ended."""
