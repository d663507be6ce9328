"""Proofs of balance: published roots, and each member's branch."""
