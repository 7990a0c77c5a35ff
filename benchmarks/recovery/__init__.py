"""How soon does a worker judge again after it was killed, and when partitions move between workers?"""
