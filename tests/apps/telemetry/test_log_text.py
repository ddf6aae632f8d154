from hypothesis import given
from hypothesis import strategies as st

from apps.telemetry.logs import whole_text


class TestWholeText:
    def test_leaves_a_cut_character_for_the_next_piece(self):
        assert whole_text("héllo 训".encode()[:-1], final=False) == ("héllo ", 7)

    def test_leaves_nothing_at_the_end(self):
        text = "训".encode()[:-1]

        assert whole_text(text, final=True) == ("\N{REPLACEMENT CHARACTER}", 2)

    def test_shows_what_is_no_text(self):
        assert whole_text(b"a\xffb", final=False) == ("a\N{REPLACEMENT CHARACTER}b", 3)

    @given(st.text(), st.integers(4, 40))
    def test_pieces_make_the_whole(self, text, limit):
        data, offset, read = text.encode(), 0, ""
        while offset < len(data):
            piece = data[offset : offset + limit]
            part, taken = whole_text(piece, final=offset + len(piece) == len(data))
            assert taken > 0
            offset, read = offset + taken, read + part
        assert read == text
