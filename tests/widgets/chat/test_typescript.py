"""The widget's types are those of the protocol."""

from widgets.chat import typescript


def test_protocol_ts_is_in_step():
    """When this fails: manage.py widget_protocol --write, then npm run build in widgets/embed, and commit both."""
    assert typescript.TARGET.read_text(encoding="utf-8") == typescript.generate()


def test_every_frame_is_there():
    text = typescript.generate()
    for name in ("ClientMessage", "ServerHistory", "MessageObject", "BootResponse"):
        assert f"export interface {name} {{" in text
    assert 'type: "message"' in text
    assert "partial?: PartialAnswer" in text
