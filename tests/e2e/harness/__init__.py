"""What the end-to-end tests stand on: a PostgreSQL, a bastion, keys and clients, all private to a run."""
