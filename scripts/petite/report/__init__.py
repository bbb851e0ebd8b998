"""The page that a run ends with: one HTML file that needs no network and answers the question.

`inputs` reads what a run made; each section has a module that turns it into plain values
(`answer`, `chart`, `table`, `plane`, `galleries`, `models`, `making`); `templates/` turns those
into HTML. `drawing` embeds figures, `sprites` packs images, `palette` has the colors for light and
dark.
"""

import petite.plots.plain_matplotlib  # isort: skip  # before Matplotlib
import petite.report.plain_bokeh  # noqa: F401  # isort: skip  # before Bokeh
from petite.report.inputs import Inputs
from petite.report.page import page

__all__ = ["Inputs", "page"]
