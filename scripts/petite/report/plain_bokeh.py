"""Bokeh without the user's settings: import this module before Bokeh's others.

The environment and a file in the user's home can change how it numbers things and which of its
scripts go into a page.
"""

import os

for name in [name for name in os.environ if name.startswith("BOKEH_")]:
    del os.environ[name]

from bokeh.settings import settings  # noqa: E402

settings.simple_ids = True
settings.minified = True
