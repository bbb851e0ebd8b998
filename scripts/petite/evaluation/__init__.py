"""From trained models to an answer: how good each method is at each size, and how certain that is.

- `runs` reads and checks the tables of the training jobs, and `metrics` computes further metrics.
- `summary` makes a row for each method and fraction, and `tables` formats the rows.
- `statistics` has the intervals and tests over seeds, `new_images` those over test images.
- `learning_curve` fits the accuracy of random subsets by size.
- `verdicts` compares methods, and `chance` tests whether anything was learned.
- `decision` makes a `recommendation` from them, with the `next_steps`.
- `sentences` has the words for each kind of finding, `wording` fills them in, `evidence_tables` has
  the numbers, and `rendering` makes text and Markdown.
- `label_errors`, `near_duplicates` and `cues` check the labels and the images themselves;
  docs/label-checks.md explains how.
- `design` shows before a run what it can detect, and `costs` what each subset costs.

docs/evidence.md explains how Petite decides.
"""
