"""The isolation report: what keeps tenants apart in this installation, checked and signed."""
