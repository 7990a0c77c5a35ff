"""How many fixes a second can be looked up among fences, beside other ways of doing the same?"""
