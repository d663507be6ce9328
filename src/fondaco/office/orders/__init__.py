"""Orders of the dealer and the agency market, and the customers who place them by API."""
