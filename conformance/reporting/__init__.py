"""Results of a run: summary, report, comparison of reports, known failures."""
