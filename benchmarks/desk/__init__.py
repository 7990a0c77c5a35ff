"""How large is the desk, and how smooth its map?"""
