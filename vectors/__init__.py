"""Golden vectors of LLQ: packages that must decode, and packages that must be refused."""
