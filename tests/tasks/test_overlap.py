from sdr.tasks.overlap import EXAMPLES, overlap


def test_contents_in_two_splits_and_copies_in_one():
    found = overlap(
        {
            "train": [("t1", "A"), ("t2", "B"), ("t3", "A"), ("t4", "A")],
            "val": [("v1", "C"), ("v2", "B")],
            "test": [("s1", "A"), ("s2", "D"), ("s3", "A")],
        }
    )
    assert found["overlap"] == {"train-val": 1, "train-test": 1, "val-test": 0}
    assert found["overlap_examples"] == {"train-val": [["t2", "v2"]], "train-test": [["t1", "s1"]]}
    assert found["duplicates"] == {"train": 2, "val": 0, "test": 1}
    assert found["duplicate_examples"] == {"train": [["t1", "t3"], ["t1", "t4"]], "test": [["s1", "s3"]]}


def test_an_image_that_a_list_repeats_is_a_copy_too():
    assert overlap({"train": [("t1", "A"), ("t1", "A")]})["duplicates"] == {"train": 1}


def test_many_are_counted_and_few_are_named():
    same = [(f"{n}", f"{n}") for n in range(3 * EXAMPLES)]
    found = overlap({"train": same, "test": same})
    assert found["overlap"] == {"train-test": 3 * EXAMPLES}
    assert len(found["overlap_examples"]["train-test"]) == EXAMPLES
