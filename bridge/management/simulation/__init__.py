"""Bridge in a box: the real services on a real database, with a virtual clock, a bank that lies, and a seed."""
