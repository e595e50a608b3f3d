"""The guard, the self-test of patches, the limit of our own cost, and odd interpreters."""
