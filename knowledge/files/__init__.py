"""Documents that come as files: recognised and stored by the doors, read by a confined process of the worker's."""
