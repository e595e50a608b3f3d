"""What Clarity OTel costs, measured: over sockets, in process, and at start-up."""
