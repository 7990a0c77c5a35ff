"""What was deducted, why, and what is left: a ledger derived from facts, and its sum."""
