"""A sandbox that speaks Composio's protocol: stateful toolkits with fictional people, on loopback.

Nothing here reaches any real service. Every answer carries the header `x-aicp-sandbox: 1`, and every
toolkit's name ends in "(sandbox)".
"""
