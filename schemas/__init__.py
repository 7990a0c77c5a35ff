"""What travels: every message on every topic, and the list of topics."""
