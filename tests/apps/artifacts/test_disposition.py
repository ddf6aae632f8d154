from email.message import Message
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.artifacts import disposition


class TestContentDisposition:
    @pytest.mark.parametrize(
        ("name", "header"),
        [
            ("a.csv", 'attachment; filename="a.csv"'),
            ("", "attachment"),
            ("../../etc/passwd", 'attachment; filename="passwd"'),
            ("C:\\x\\y.txt", 'attachment; filename="y.txt"'),
            (
                'a"; x=".png',
                "attachment; filename=\"a__ x=_.png\"; filename*=UTF-8''a%22%3B%20x%3D%22.png",
            ),
            (
                "a\r\nSet-Cookie: x",
                "attachment; filename=\"aSet-Cookie_ x\"; filename*=UTF-8''aSet-Cookie%3A%20x",
            ),
            ("图.png", "attachment; filename=\"_.png\"; filename*=UTF-8''%E5%9B%BE.png"),
            ("gpj.\u202eexe", 'attachment; filename="gpj.exe"'),
        ],
    )
    def test_names_the_file(self, name, header):
        assert disposition.content_disposition(name, "") == header

    @given(st.text(max_size=300))
    def test_is_one_plain_header_whatever_the_name(self, name):
        header = disposition.content_disposition(name, "text/html")

        assert header.isascii()
        assert header.isprintable()
        parsed = Message()
        parsed["content-disposition"] = header
        assert parsed.get_content_disposition() == "attachment"
        assert set(dict(parsed.get_params([], header="content-disposition"))) <= {
            "attachment",
            "filename",
        }

    def test_keeps_the_ending_of_a_long_name(self):
        name = disposition.safe_name("x" * 500 + ".tar.gz")

        assert len(name) == disposition.MAX_NAME_CHARACTERS
        assert name.endswith(".gz")

    def test_the_encoded_name_reads_back(self):
        header = disposition.content_disposition("数据 1%.csv", "")

        assert unquote(header.rpartition("''")[2]) == "数据 1%.csv"
