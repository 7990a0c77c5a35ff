"""Is this the person, here, now, alive? Quality, comparison, presence, outcomes, attempts, plans; pure."""
