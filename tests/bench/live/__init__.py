"""What the live layer costs and endures: the server beside its peers, in one run on the same cores."""
