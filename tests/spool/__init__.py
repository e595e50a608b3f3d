"""Nothing lost: the disk spool against targets, processes and disks that fail."""
