"""From a wrong answer to its cause."""
