"""The demo: a small town of people under supervision, the whole system on one machine, and its story on screen."""
