"""The one framed protocol between the writer and everyone else: server, and two clients."""
