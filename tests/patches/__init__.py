"""Each patch on the real library: what it records, and that the app sees no difference."""
