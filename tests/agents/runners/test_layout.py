from agents.runners.importing.layout import Picture, count, recognise


class TestRecognise:
    def test_tells_split_and_class_from_the_folders(self) -> None:
        layout = recognise(["train/cat/1.png", "train/dog/2.jpg", "test/cat/3.png"])

        assert layout.kind == "images_by_class"
        assert Picture("test/cat/3.png", "test", "cat") in layout.pictures

    def test_looks_through_the_folder_that_zipping_adds(self) -> None:
        layout = recognise(["pets/cat/1.png", "pets/dog/2.png"])

        assert [picture.label for picture in layout.pictures] == ["cat", "dog"]

    def test_one_class_is_no_class(self) -> None:
        assert recognise(["cat/1.png", "cat/2.png"]).kind == "images"

    def test_a_folder_of_pictures_has_no_labels(self) -> None:
        layout = recognise(["1.png", "2.png"])

        assert layout.kind == "images"
        assert {picture.label for picture in layout.pictures} == {""}

    def test_litter_and_notes_do_not_count(self) -> None:
        paths = ["a/1.png", "b/2.png", "LICENSE.txt", "__MACOSX/a/1.png", ".DS_Store"]

        assert recognise(paths).kind == "images_by_class"

    def test_tables(self) -> None:
        assert recognise(["a.csv", "more/b.tsv", "README.md"]).kind == "table"

    def test_a_mixture_is_just_files(self) -> None:
        assert recognise(["a.csv", "b.png"]).kind == "files"
        assert recognise(["a.png", "weights.bin"]).kind == "files"


class TestCount:
    def test_counts_per_split_and_over_all(self) -> None:
        layout = recognise(["train/b/1.png", "train/a/2.png", "test/a/3.png"])

        assert count(layout.pictures) == (
            {"test": {"a": 1}, "train": {"a": 1, "b": 1}},
            {"a": 2, "b": 1},
        )
