"""One module per protocol: how a request travels to a service, and its answer back."""
