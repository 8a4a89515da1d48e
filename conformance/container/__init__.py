"""Packages as the suite itself reads them, independently of the reference implementation."""
