"""Known names found again in sentences: examples worked by hand, and what holds of any list and any sentences."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.affixes import Affixes
from annotation.names import Labelled, NameIndex, NameList
from maner_core.spans import Span
from storage import ListedName

SWAHILI = Affixes.of(["shule", "shuleni", "nyumba", "nyumbani", "kazi", "kazini"], fewest=3)
ESTONIAN = Affixes.of(["metsa", "metsas", "metsast", "maja", "majas", "majast", "linna", "linnas", "linnast"], fewest=3)


def index(*names: tuple[str, str]) -> NameIndex:
    return NameIndex(NameList(ListedName(name, label) for name, label in names))


def found(index: NameIndex, sentence: str, other_forms: bool = True) -> list[tuple[str, str, str]]:
    words = sentence.split()
    return [(" ".join(words[it.start : it.end]), it.label, str(it.source)) for it in index.suggest(words, other_forms)]


def labelled(*sentences: str) -> list[Labelled]:
    """Sentences numbered from 1, with names in brackets: `"[Asha PER] yuko"`."""
    made: list[Labelled] = []
    for number, sentence in enumerate(sentences, 1):
        words: list[str] = []
        spans = []
        for piece in sentence.replace("[", "\0[").replace("]", "]\0").split("\0"):
            if piece.startswith("["):
                *name, label = piece[1:-1].split()
                spans.append(Span(len(words), len(words) + len(name), label))
                words += name
            else:
                words += piece.split()
        made.append((number, words, spans))
    return made


def test_the_longest_name_of_the_list_is_found() -> None:
    names = index(("Dar", "PER"), ("Dar es Salaam", "LOC"), ("Chuo Kikuu cha Dar es Salaam", "ORG"), ("Salaam", "PER"))
    assert found(names, "Yuko Dar es Salaam leo") == [("Dar es Salaam", "LOC", "list")]
    assert found(names, "Chuo Kikuu cha Dar es Salaam") == [("Chuo Kikuu cha Dar es Salaam", "ORG", "list")]
    assert found(names, "Dar es leo") == [("Dar", "PER", "list")]


def test_names_that_overlap_are_taken_from_the_left() -> None:
    names = index(("Homa Bay", "LOC"), ("Bay County Hospital", "ORG"))
    assert found(names, "Homa Bay County Hospital") == [("Homa Bay", "LOC", "list")]


def test_a_name_covers_whole_words() -> None:
    names = index(("Kenya", "LOC"), ("St. Mary", "ORG"), ("Ali", "PER"))
    assert found(names, "Kenyatta Wakenya Kenya-Uganda Ali-Baba") == []
    # However the file cut the words: in two tokens, or in three.
    assert found(names, "Shule ya St. Mary") == [("St. Mary", "ORG", "list")]
    assert found(names, "Shule ya St . Mary") == [("St . Mary", "ORG", "list")]


@pytest.mark.parametrize(
    ("name", "text", "is_found"),
    [
        ("Baraka", "Baraka", True),
        ("Baraka", "BARAKA", True),  # a headline
        ("BARAKA", "Baraka", True),  # a list in capitals
        ("Baraka", "baraka", False),  # a blessing
        ("baraka", "baraka", True),
        ("baraka", "Baraka", False),  # as it is written
        ("Mto wa Mbu", "Mto Wa Mbu", True),
        ("Mto wa Mbu", "mto wa Mbu", False),
        ("eThekwini", "EThekwini", True),
        ("Café", "Cafe\u0301", True),  # composed or not
        ("Երևան", "Երևան", True),
        ("Երևան", "երևան", False),
        ("لاہور", "لاہور", True),
        ("Dar\u00a0es  Salaam", "Dar es Salaam", True),
    ],
)
def test_how_a_name_is_written(name: str, text: str, is_found: bool) -> None:
    assert [it[0] for it in found(index((name, "X")), f"– {text} –")] == ([text] if is_found else [])


def test_a_marked_name_is_found_elsewhere() -> None:
    names = NameIndex(None, labelled("[Asha Juma PER] yuko [Mombasa LOC] leo", "Hapana"))
    assert found(names, "Mombasa na Asha Juma na Asha") == [("Mombasa", "LOC", "seen"), ("Asha Juma", "PER", "seen")]
    assert [it.seen_in for it in names.suggest(["Mombasa"])] == [1]


@pytest.mark.parametrize(
    ("sentences", "expected"),
    [
        (["[Baraka PER] yuko"], ["PER"]),  # once is enough
        (["[Baraka PER] yuko", "Baraka tele"], []),  # one of two
        (["[Baraka PER] yuko", "[Baraka PER] leo", "Baraka tele"], ["PER"]),  # two of three
        (["[Baraka PER] yuko", "[Baraka LOC] ni mji"], []),  # two labels
        (["[Baraka PER] yuko", "[Baraka LOC] ni mji", "[Baraka LOC] leo"], ["LOC"]),
        (["[Baraka PER] yuko", "baraka tele", "baraka zake"], ["PER"]),  # another word
        (["[Kenya LOC] leo", "[Benki ya Kenya ORG]", "[Jamhuri ya Kenya ORG]"], ["LOC"]),  # inside a name: no place
        (["[Kenya LOC] leo", "[Kenya Mpya ORG]", "[Kenya Leo ORG]"], ["LOC"]),
        (["[Baraka Juma PER]", "[Juma PER] Baraka"], []),  # only as it was marked
    ],
)
def test_two_of_three_places_must_agree(sentences: list[str], expected: list[str]) -> None:
    word = "Kenya" if "Kenya" in sentences[0] else "Baraka"
    assert [it[1] for it in found(NameIndex(None, labelled(*sentences)), f"jana {word} pia")] == expected


@pytest.mark.parametrize(
    ("sentences", "expected"),
    [
        ([], [("PER", "list")]),
        (["Baraka tele"], [("PER", "list")]),  # one place is no proof against a lead
        (["Baraka tele", "Baraka zake"], []),
        (["Baraka tele", "Baraka zake", "[Baraka PER]"], []),  # two of three
        (["Baraka tele", "Baraka zake", "[Baraka PER]", "[Baraka PER]"], [("PER", "list")]),
        (["[Baraka LOC]", "[Baraka LOC] leo"], [("LOC", "seen")]),
    ],
)
def test_people_overrule_the_list(sentences: list[str], expected: list[tuple[str, str]]) -> None:
    names = NameIndex(NameList([ListedName("Baraka", "PER")]), labelled(*sentences))
    assert [it[1:] for it in found(names, "jana Baraka pia")] == expected


def test_the_affixes_of_a_text_are_learned_from_its_words() -> None:
    assert SWAHILI.suffixes == {"ni"}
    assert ESTONIAN.suffixes == {"s", "t", "st"}  # majas-t, too
    zulu = Affixes.of(["kudla", "ukudla", "sebenza", "usebenza", "hamba", "uhamba"], fewest=3)
    assert zulu.prefixes == {"u"}
    assert SWAHILI.stems(("mombasani",)) == {("mombasani",), ("mombasa",)}
    assert SWAHILI.stems(("dar", "es", "salaamni")) == {("dar", "es", "salaamni"), ("dar", "es", "salaam")}
    assert SWAHILI.stems(("alini",)) == {("alini",)}  # of a stem of three letters nobody can be sure


@pytest.mark.parametrize(
    ("affixes", "marked", "text", "expected"),
    [
        (SWAHILI, "[Mombasa LOC] leo", "Yuko Mombasani leo", "Mombasani"),
        (SWAHILI, "[Mombasani LOC] leo", "Yuko Mombasa leo", "Mombasa"),
        (SWAHILI, "[Dar es Salaam LOC]", "Yuko Dar es Salaamni leo", "Dar es Salaamni"),
        (SWAHILI, "[Kenya LOC]", "Kenyatta alisema", None),  # "tta" ends no other word
        (SWAHILI, "[Mombasa LOC] leo", "kimombasani", None),
        (ESTONIAN, "[Narva LOC]", "Elab Narvas", "Narvas"),
        (ESTONIAN, "[Narvas LOC]", "Tuli Narvast", "Narvast"),
        (Affixes(prefixes=frozenset({"e", "ku"})), "[Goli LOC]", "Uya eGoli", "eGoli"),
        (Affixes(prefixes=frozenset({"u", "ku"})), "[uMandela PER]", "Banike kuMandela", "kuMandela"),
        (Affixes(suffixes=frozenset({"ում", "ից"})), "[Հայաստան LOC]", "Նա Հայաստանում է", "Հայաստանում"),
        (Affixes(suffixes=frozenset({"ում", "ից"})), "[Հայաստանից LOC]", "Նա Հայաստանում է", "Հայաստանում"),
        (Affixes(prefixes=frozenset({"በ"})), "[ኢትዮጵያ LOC]", "በኢትዮጵያ", "በኢትዮጵያ"),
        (Affixes(), "[Mombasa LOC]", "Mombasani", None),
    ],
)
def test_other_forms_of_a_marked_name(affixes: Affixes, marked: str, text: str, expected: str | None) -> None:
    names = NameIndex(None, labelled(marked), affixes)
    assert [it[0] for it in found(names, text)] == ([expected] if expected else [])
    assert found(names, text, other_forms=False) == []


def test_a_form_that_people_left_unmarked_is_not_suggested() -> None:
    names = NameIndex(None, labelled("[Tanga LOC] leo", "Tangani hakuna"), SWAHILI)
    assert found(names, "Tangani") == []
    # Nor another form of a stem of which most places are no name.
    assert found(NameIndex(None, labelled("[Narva LOC]", "Narvas", "Narvast"), ESTONIAN), "Narva") == [
        ("Narva", "LOC", "seen")
    ]


def test_no_forms_are_suggested_where_most_that_people_met_were_no_names() -> None:
    people = Affixes(prefixes=frozenset({"wa"}))
    places = ["[Tanzania LOC] leo", "[Uganda LOC] leo", "[Sudani LOC]", "[Kongo LOC]"]
    one = labelled(*places, "Watanzania wengi")
    assert found(NameIndex(None, one, people), "Wakongo") == [("Wakongo", "LOC", "seen")]
    two = labelled(*places, "Watanzania wengi", "Wauganda wengi")
    assert found(NameIndex(None, two, people), "Wakongo") == []
    as_often = labelled(*places, "Watanzania", "Wauganda", "[Wasudani LOC]", "[Wasudani LOC]")
    assert found(NameIndex(None, as_often, people), "Wakongo") == [("Wakongo", "LOC", "seen")]


def test_a_form_of_names_with_two_labels_is_not_suggested() -> None:
    names = NameIndex(None, labelled("[Narvas LOC]", "[Narvast ORG]"), ESTONIAN)
    assert found(names, "Narva") == []


def test_the_version_changes_with_the_names_and_not_with_more_places_of_them() -> None:
    none, one = NameIndex(), NameIndex(None, labelled("[Asha PER]"))
    assert none.version == ""
    assert one.version != none.version
    assert NameIndex(None, labelled("[Asha PER]", "[Asha PER] tena")).version == one.version
    assert NameIndex(None, labelled("[Asha PER]", "[Juma PER]")).version != one.version
    assert index(("Asha", "PER")).version not in (one.version, index(("Asha", "LOC")).version)
    assert NameIndex(None, labelled("[Asha PER]", "Asha")).version == ""  # known no more


WORD = st.text(st.sampled_from("aAbBnisKk'.-՝ևՀ"), min_size=1, max_size=6)
SENTENCE = st.lists(WORD, min_size=1, max_size=12)


@st.composite
def labelled_sentences(draw: st.DrawFn) -> list[Labelled]:
    made: list[Labelled] = []
    for number, words in enumerate(draw(st.lists(SENTENCE, max_size=6)), 1):
        cuts = sorted(draw(st.lists(st.integers(0, len(words)), max_size=4, unique=True)))
        pairs = zip(cuts[::2], cuts[1::2], strict=False)
        made.append((number, words, [Span(a, b, draw(st.sampled_from(["PER", "LOC"]))) for a, b in pairs]))
    return made


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(ListedName, st.lists(WORD, min_size=1, max_size=3).map(" ".join), st.sampled_from(["LOC", "ORG"]))
    ),
    labelled_sentences(),
    SENTENCE,
)
def test_what_is_suggested_lies_in_the_sentence_and_never_overlaps(
    listed: list[ListedName], sentences: list[Labelled], words: list[str]
) -> None:
    affixes = Affixes(frozenset("ab"), frozenset({"ni", "s"}))
    for names in (NameIndex(NameList(listed), sentences, affixes), NameIndex(NameList(listed))):
        spans = names.suggest(words)
        assert [it.start for it in spans] == sorted(it.start for it in spans)
        for before, after in pairwise(spans):
            assert before.end <= after.start
        for it in spans:
            assert 0 <= it.start < it.end <= len(words)
            assert it.label in ("PER", "LOC", "ORG")
            assert (it.seen_in is None) == (it.source == "list")
