"""Keys and certificates: what a program holds, what a master keeps of it, and where both are found."""
