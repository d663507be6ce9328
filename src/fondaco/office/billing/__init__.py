"""Membership: what it costs, who has paid, the gate in front of the members' pages."""
