"""How long does a fix take from the gateway's socket to its incident, and what does it cost on the way?"""
