"""The house file: what a house declares, checked to the line, and the commands that make it so."""
