"""Features of a payment: defined once, computed over a table or one event at a time."""
