"""Tools of MCP servers, each callable only as far as the operator declared it."""
