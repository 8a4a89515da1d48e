"""Where the time of a token goes: measured profiles, as JSON and as pages."""
