"""Tenants: whose tasks take turns, and what an operator has set for them."""
