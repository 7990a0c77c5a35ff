"""Which work follows, who owns it, and is it done? Tasks that pass between agencies until they are closed."""
