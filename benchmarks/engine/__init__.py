"""How many fixes a second does a core judge, and how much memory does a device take?"""
