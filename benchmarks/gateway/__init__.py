"""How many requests and fixes a second does the gateway take, beside a handler that only parses the body?"""
