"""From trained models to an answer: how good each method is at each size, and how sure that is.

`runs` reads and checks the tables of the training jobs, `metrics` measures them, `summary` makes a
row for each method and fraction, which `tables` show. `statistics` has the intervals and tests over
seeds, `new_images` those over test images, `learning_curve` what random images are worth.
`verdicts` compares, `chance` asks whether anything was learned. `decision` says what to keep and
`next_steps` what to do next; `recommendation` is the record of both. `sentences` has the words for
each kind and `wording` fills them in, `evidence_tables` has the numbers, and `rendering` makes text
and Markdown of them. `design` tells before a run what it can show, `costs` what each subset took.
docs/evidence.md tells how Petite decides.
"""
