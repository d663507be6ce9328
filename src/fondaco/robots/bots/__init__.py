"""Rule bots at work in a worker: where their runs are kept, and the thread that follows."""
