"""Conversations without a widget: a program asks, over the REST API."""
