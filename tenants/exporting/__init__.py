"""A tenant's data as one archive for other programs: ordered, written by a worker, fetched, and gone in a week."""
