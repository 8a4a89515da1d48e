"""What a check is: vectors, rules, checks, and the interface of a runtime."""
