"""Workers: their membership of the cluster."""
