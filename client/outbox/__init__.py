"""The outbox in a program's own database: its table, and how a submit is written there within the transaction that is open."""
