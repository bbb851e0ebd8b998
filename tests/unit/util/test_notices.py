"""What a step finds out that its user should know."""

import logging

from petite.util.notices import NOTICE, Notices


def test_a_notice_is_logged_as_one_line_at_its_own_level_and_kept(caplog):
    notices = Notices()
    with caplog.at_level(logging.INFO):
        notices.add("2 classes:\n  the folders of  a")
    assert notices == ["2 classes: the folders of a"]
    assert [(record.levelno, record.message) for record in caplog.records] == [
        (NOTICE, "2 classes: the folders of a")
    ]
    assert NOTICE > logging.INFO
