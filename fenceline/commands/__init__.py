"""One command of the program a module; `fenceline.cli` lists them and loads each when it is called."""
