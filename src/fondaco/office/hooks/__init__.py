"""Hooks as members see them: made, changed, ended, and what became of each alert."""
