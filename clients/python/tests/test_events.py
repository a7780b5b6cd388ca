"""The parser of event streams."""

from distilld.events import Event, read_events


def parse(text):
    return list(read_events(text.split("\n")))


def test_events():
    text = ("retry: 10\n\n:\n\nid: 1\nevent: point\ndata: {}\n\n"
            "data:a\ndata: b\n\nevent: end\ndata\n\n")
    assert parse(text) == [Event("point", "{}", "1"), Event("message", "a\nb", "1"),
                           Event("end", "", "1")]


def test_an_unfinished_event_is_dropped():
    assert parse("event: point\ndata: 1") == []
    assert parse("event: point\n\ndata: 1\n\n") == [Event("message", "1", None)]
