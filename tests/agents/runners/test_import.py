import io
from collections.abc import Callable

import pytest

from agents.runners.importing import pictures
from tests.agents.runners.conftest import Ended, picture, zipped

IMPORT = {"kind": "import"}
Run = Callable[..., Ended]


class TestPictures:
    def test_a_zip_by_class_gives_counts_schema_and_thumbnails(self, run: Run) -> None:
        archive = zipped(
            {
                "train/cat/1.png": picture(1),
                "train/dog/1.png": picture(2),
                "test/cat/2.png": picture(3),
            }
        )

        ended = run(IMPORT, files={"pets.zip": archive})

        profile = ended.output("profile.json")
        assert (profile["kind"], profile["samples"]) == ("images_by_class", 3)
        assert profile["unpack"] is True
        assert profile["splits"] == {"test": {"cat": 1}, "train": {"cat": 1, "dog": 1}}
        assert profile["schema"][0]["width"] == [12, 12]
        for path in profile["thumbnails"]["cat"]:
            assert (ended.workspace / "outputs" / path).read_bytes()[8:12] == b"WEBP"

    def test_a_folder_of_pictures(self, run: Run) -> None:
        ended = run(IMPORT, files={"one.png": picture(), "two.png": picture(mode="RGB")})

        profile = ended.output("profile.json")
        assert profile["kind"] == "images"
        assert profile["schema"][0]["modes"] == {"L": 1, "RGB": 1}
        assert "unpack" not in profile

    def test_a_truncated_picture_is_named(self, run: Run) -> None:
        ended = run(IMPORT, files={"whole.png": picture(), "cut.png": picture()[:-30]})

        assert ended.code == 1
        assert ended.failure["code"] == "pictures_unreadable"
        assert ended.failure["params"]["path"] == "cut.png"

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"GIF89b", "picture_of_no_known_format"),
            (picture(size=(64, 64))[:-30], "picture_cut_off"),
            (picture(size=(64, 64)).replace(b"IDATx", b"IDATX"), "picture_damaged"),
        ],
    )
    def test_an_unreadable_picture_says_why(self, body: bytes, code: str) -> None:
        with pytest.raises(pictures.UnreadablePicture) as refused:
            pictures.decode(io.BytesIO(body))

        assert refused.value.why["code"] == code

    def test_a_picture_is_not_decoded_beyond_what_is_taken(self) -> None:
        with pytest.raises(pictures.UnreadablePicture) as refused:
            pictures.decode(io.BytesIO(picture(size=(64, 64))), max_pixels=64)

        params = {"width": 64, "height": 64, "most": 64}
        assert refused.value.why == {"code": "picture_too_large", "params": params}

    def test_a_hostile_zip_is_refused_with_its_entry(self, run: Run) -> None:
        ended = run(IMPORT, files={"evil.zip": zipped({"../../evil.png": picture()})})

        assert ended.failure["code"] == "archive_name_refused"
        assert "evil.png" in ended.failure["params"]["entry"]

    def test_an_empty_zip_holds_nothing(self, run: Run) -> None:
        assert run(IMPORT, files={"empty.zip": zipped({})}).failure["code"] == "nothing_to_import"


class TestTables:
    def test_a_csv_gives_schema_counts_and_first_rows(self, run: Run) -> None:
        body = b"id,price,sold,note\n1,2.5,true,\n2,3,false,cheap\n3,NA,true,dear\n"

        profile = run(IMPORT, files={"sales.csv": body}).output("profile.json")

        assert (profile["kind"], profile["samples"]) == ("table", 3)
        assert [column["type"] for column in profile["schema"]] == ["int", "float", "bool", "text"]
        assert profile["schema"][1]["nulls"] == 1
        assert profile["schema"][1]["mean"] == pytest.approx(2.75)
        assert profile["preview"][1] == {"id": "2", "price": "3", "sold": "false", "note": "cheap"}

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"a,b\n1,2,3\n", "table_row_ragged"),
            (b"a,a\n1,2\n", "table_header_refused"),
            (b"", "table_header_refused"),
            (b"a,b\n\xff\xfe,2\n", "table_not_utf8"),
            (b'a,b\n"1,2\n', "table_unreadable"),
        ],
    )
    def test_what_is_wrong_is_said(self, body: bytes, code: str, run: Run) -> None:
        assert run(IMPORT, files={"t.csv": body}).failure["code"] == code


class TestOther:
    def test_what_is_not_known_is_files(self, run: Run) -> None:
        profile = run(IMPORT, files={"weights.bin": b"\0" * 10}).output("profile.json")

        assert (profile["kind"], profile["samples"]) == ("files", 1)
