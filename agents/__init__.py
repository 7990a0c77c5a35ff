"""How it moves: the Faust app, one agent a file (decode, decide, remember, send), and the adapters to the outside."""
