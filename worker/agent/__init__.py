"""What a worker decides: jobs, reports, durations, output. Pure but for its records' makers."""
