"""The audit trail: who decided and changed what, in hash chains under signed seals (OP-1, OP-5)."""
