"""Agents of other people, over MCP and over plain HTTP: the same verbs, one token for one mission."""
