"""Outside prices: messages of a broker that become quotes of the dealer market."""
