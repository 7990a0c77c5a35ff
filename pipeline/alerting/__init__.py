"""Who is told what, when, and until somebody acts: from incidents to alerts that reach someone."""
