"""Calendars that other projects test themselves with, through `calferry publish`."""

import mending
import reading
from corpus import CORPUS, corpus
from program import publish, publish_file


def test_the_corpus_is_whole():
    packages = [path.relative_to(CORPUS).parts[0] for path in corpus().values() if path.is_relative_to(CORPUS)]
    assert packages.count("icalendar-7.3.0") == 164
    assert packages.count("recurring_ical_events-3.8.2") == 96
    assert len(corpus()) >= 164 + 96 + 3


def test_every_calendar_is_published_or_refused_in_one_line(calendar):
    published = publish_file(calendar)
    if published.code == 0:
        assert published.text
        assert published.errors == ""
    else:
        assert published.code == 1, published.errors
        assert published.text == b""
        assert len(published.errors.splitlines()) == 1, published.errors
        assert "panicked" not in published.errors


def test_a_calendar_is_refused_only_for_a_reason_this_reading_finds_too(refused):
    told = publish_file(refused).errors
    reasons = reading.reasons_to_refuse(refused.read_bytes())
    assert any(reason in told for reason in reasons), f"{refused}: {told.strip()} (found here: {reasons or 'nothing'})"


def test_a_calendar_with_a_reason_to_refuse_is_not_accepted(accepted):
    assert reading.reasons_to_refuse(accepted.read_bytes()) == set(), accepted


def test_every_line_comes_out_as_it_went_in(accepted):
    wrong = mending.differences(accepted.read_bytes(), publish_file(accepted).text)
    assert not wrong, "\n".join([str(accepted), *wrong])


def test_what_is_published_is_in_strict_form(accepted):
    text = publish_file(accepted).text
    assert text.startswith(b"BEGIN:VCALENDAR\r\n"), accepted
    assert text.endswith(b"\r\nEND:VCALENDAR\r\n"), accepted
    faults = mending.faults_of_form(text)
    assert not faults, "\n".join([str(accepted), *faults])


def test_publishing_what_was_published_changes_nothing(accepted):
    text = publish_file(accepted).text
    again = publish(text)
    assert again.code == 0, again.errors
    assert again.text == text, accepted
