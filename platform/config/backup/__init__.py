"""Backup and restore of the one-machine install: database, uploaded files and keys in one archive."""
