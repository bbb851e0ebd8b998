"""Bokeh without the user's settings: import this module before Bokeh's others.

The environment and a file in the user's home can change its ids and which of its scripts go into
the report.
"""

import os

for name in [name for name in os.environ if name.startswith("BOKEH_")]:
    del os.environ[name]

from bokeh.settings import settings  # noqa: E402

settings.simple_ids = True
settings.minified = True
