"""The far sides: one module for each way in which a message leaves the house."""
