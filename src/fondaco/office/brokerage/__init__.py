"""Pages of brokerage accounts and strategies, and the dashboard."""
