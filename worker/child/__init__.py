"""The process that runs tasks: a blocking loop, and what it offers to them."""
