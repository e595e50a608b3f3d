"""Process models, forks, and the ends of processes: nothing is lost, nothing hangs."""
