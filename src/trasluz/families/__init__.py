"""Families of networks, ready to train on one's own data."""
