"""Nothing that is secret leaves the process, by any signal."""
