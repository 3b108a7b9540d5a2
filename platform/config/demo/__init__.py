"""The demo: two companies made through the product's own functions, so that a newcomer sees it at work."""
