"""What the live layer costs and what it endures: the server beside its peers, in one run on the same cores."""
