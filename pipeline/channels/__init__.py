"""What is said to whom, through which channel, when, and how often: the notifier's rules."""
