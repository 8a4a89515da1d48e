"""Tests of the library, the suite, the vectors and the specification."""
