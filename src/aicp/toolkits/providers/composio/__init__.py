"""Any toolkit of Composio, by its own SDK; what its tools do is declared here, not believed."""
