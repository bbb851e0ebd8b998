"""File names and public forms of addresses."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from petite.data.addresses import archive_name, public_url
from petite.util.errors import PetiteError


def test_the_file_name_of_an_address_keeps_its_suffix() -> None:
    microsoft = "https://download.microsoft.com/download/3/kagglecatsanddogs_5340.zip"
    assert re.fullmatch(r"kagglecatsanddogs_5340-[0-9a-f]{8}\.zip", archive_name(microsoft))
    assert re.fullmatch(r"a-[0-9a-f]{8}\.tar\.gz", archive_name("https://x.org/a.tar.gz?v=1#top"))
    assert re.fullmatch(r"archive-[0-9a-f]{8}", archive_name("https://x.org/"))
    assert re.fullmatch(r"b_c-[0-9a-f]{8}\.zip", archive_name("https://x.org/a%2F..%2Fb%20c.zip"))
    assert archive_name("https://me:pw@x.org/a.zip") == archive_name("https://x.org/a.zip")


URLS = st.builds(
    "https://example.org/{}{}".format, st.text(max_size=30), st.sampled_from(["", ".zip", "?a=b"])
)


@settings(max_examples=50, deadline=None)
@given(URLS, URLS)
def test_file_names_of_addresses_are_safe_and_differ_where_the_addresses_do(
    first: str, second: str
) -> None:
    try:
        names = [archive_name(first), archive_name(second)]
    except PetiteError:
        return
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name)
        assert len(name) < 120
    assert (names[0] == names[1]) == (public_url(first) == public_url(second))
