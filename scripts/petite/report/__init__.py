"""The report of a run: one HTML file that needs no network.

`inputs` reads the results of a run. Each section has a module that turns them into plain values
(`answer`, `chart`, `table`, `plane`, `galleries`, `models`, `making`), and `templates/` turns these
into HTML. `drawing` embeds figures, `sprites` packs images, and `palette` has the colors for the
light and the dark theme.
"""
