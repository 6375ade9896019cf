import pytest

from study.ablation.claim import Claim, read_claims
from study.errors import StudyError

HEAD = "key,paper,place,statement,question,kind,contrast,direction,scores,margin,reference,printed,note\n"
ROW = "1,A 2020,Table 1,8 beat 4.,dims,difference,x=8 - x=4,>,sbd map,,,,\n"
LEVEL = "2,A 2020,Table 1,It is 10.,dims,level,x=8,about,sbd,5,10,about 10,not logged\n"
UNTESTED = "3,A 2020,Fig. 2,It looks nice.,,,,,,,,,nobody measures it\n"


def read(tmp_path, text):
    file = tmp_path / "claims.csv"
    file.write_text(text)
    return read_claims(file)


def test_a_row_is_a_claim(tmp_path):
    first, level, untested = read(tmp_path, HEAD + ROW + LEVEL + UNTESTED)
    about = ("1", "A 2020", "Table 1", "8 beat 4.", "dims")
    assert first == Claim(*about, "difference", "x=8 - x=4", ">", ("sbd", "map"))
    assert (level.margin, level.reference, level.printed, level.note) == (5, 10, "about 10", "not logged")
    assert (untested.question, untested.scores) == ("", ())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ROW, "must have the columns key, paper"),
        (HEAD + ROW + ROW, "has two claims 1: give each"),
        (HEAD + ROW.replace("8 beat 4.", ""), "claim '1': statement must not be empty"),
        (HEAD + ROW.replace("sbd map", ""), "has a contrast, and so needs scores too"),
        (HEAD + UNTESTED.replace("nobody measures it", ""), "neither a contrast nor a note"),
        (HEAD + LEVEL.replace(",5,", ",,"), "says `about`, and so needs a margin"),
        (HEAD + LEVEL.replace(",5,", ",five,"), "margin and reference must be numbers"),
    ],
)
def test_faults_of_the_table_are_told(tmp_path, text, words):
    with pytest.raises(StudyError, match=words):
        read(tmp_path, text)
