"""What a run has found so far, as a table, a sentence and a page that a browser shows."""
