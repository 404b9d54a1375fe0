"""What a worker decides: jobs, reports, pace, output. Pure but for its records' makers."""
