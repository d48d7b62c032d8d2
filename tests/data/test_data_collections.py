"""Search collections of one's own: BEIR, TREC and SMART, each read or refused by file and row."""

import gzip
import json

import pytest

from data.files import Fields, search_from_beir, search_from_smart, search_from_trec


def write(path, content, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode(encoding))


def lines(rows):
    return "\n".join(map(json.dumps, rows)) + "\n"


@pytest.fixture
def beir(tmp_path):
    corpus = [
        {"_id": "d1", "title": "Été", "text": "warm", "journal": "Nature", "cited": 3},
        {"_id": 2, "text": "cold", "metadata": {"year": 1999}},
    ]
    write(tmp_path / "corpus.jsonl", lines(corpus) + "\n")
    write(tmp_path / "queries.jsonl", lines([{"_id": "q1", "text": "heat ☀"}, {"_id": "q2",
          "text": "ice"}]))  # fmt: skip
    write(
        tmp_path / "qrels" / "test.tsv",
        "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\t2\t0\nq1\td9\t1\n",
    )
    return tmp_path


def test_beir(beir):
    table = search_from_beir(beir)
    assert table.documents.rows() == [("d1", "Été", "warm"), ("2", "", "cold")]
    assert table.queries.rows() == [("q1", "heat ☀"), ("q2", "ice")]
    assert table.judgments.sort("doc_id").rows() == [("q1", "2", 0), ("q1", "d1", 2)]
    assert "1 judgments name unknown ids (query 'q1', document 'd9')" in table.source.notice
    assert "Fields left unread: journal, cited, metadata.year" in table.source.notice
    assert table.split == {"test": ("q1",)} and table.identical_ids


def test_beir_keeps_a_given_split(beir):
    write(beir / "qrels" / "train.tsv", "q2\t2\t1\nq1\td1\t1\n")
    write(beir / "qrels" / "notes.tsv", "x\n")
    write(beir / "qrels.tsv", "q1\td1\t1\n")
    table = search_from_beir(beir)
    assert table.split == {"test": ("q1",), "train": ("q2",)}
    for said in ("1 queries are in several files", "notes.tsv", "qrels.tsv was left unread"):
        assert said in table.source.notice
    assert table.judgments.filter(query_id="q1", doc_id="d1")["grade"].to_list() == [2]


def test_fields_are_read_as_what_they_are_said_to_be(beir):
    fields = Fields(texts=("title", "text"), facets=("journal",), numbers=("metadata.year",))
    table = search_from_beir(beir, fields)
    assert table.documents.drop("doc_id").rows() == [
        ("Été", "warm", ["Nature"], None), ("", "cold", [], 1999.0)
    ]  # fmt: skip
    assert "Fields left unread: cited;" in table.source.notice
    with pytest.raises(ValueError, match=r"--data\.numbers: no document has a field 'yaer'"):
        search_from_beir(beir, Fields(numbers=("yaer",)))
    with pytest.raises(ValueError, match="'journal' is named twice"):
        search_from_beir(beir, Fields(texts=("journal",), facets=("journal",)))
    with pytest.raises(ValueError, match=r"corpus\.jsonl, row 1: 'journal' holds 'Nature'"):
        search_from_beir(beir, Fields(numbers=("journal",)))


def test_repeated_judgments_count_once_and_contradictions_are_refused(beir):
    write(beir / "qrels" / "test.tsv", "q1\td1\t1\nq1\td1\t1.0\nq1\t2\t-2\n")
    table = search_from_beir(beir)
    assert table.judgments.rows() == [("q1", "d1", 1), ("q1", "2", 0)]
    assert "1 judgments repeat another" in table.source.notice
    assert "1 negative grades count as not relevant" in table.source.notice
    write(beir / "qrels" / "test.tsv", "q1\td1\t0\nq1\td1\t2\n")
    with pytest.raises(ValueError, match=r"test\.tsv, row 2: query 'q1'.*grade 2, but 0 in row 1"):
        search_from_beir(beir)


def test_queries_without_a_text_are_left_out_and_said(beir):
    write(beir / "queries.jsonl", lines([{"_id": "q1", "text": "x"}, {"_id": "q2", "text": None}]))
    table = search_from_beir(beir)
    assert table.queries.rows() == [("q1", "x")]
    assert "1 queries have no text and were left out" in table.source.notice


def test_a_packed_file_is_read(beir):
    for name in ("corpus.jsonl", "qrels/test.tsv"):
        plain = beir / name
        plain.with_name(plain.name + ".gz").write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
    assert search_from_beir(beir).source.rows.startswith("2 documents")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("corpus.jsonl", '{"_id": "a", "text": "x"}\n{broken\n', r"corpus\.jsonl, row 2: not JSON"),
        ("corpus.jsonl", '{"_id": "a"}\n', r"corpus\.jsonl, row 1: no 'text'"),
        ("corpus.jsonl", '{"_id": null, "text": "a"}\n', r"corpus\.jsonl, row 1: no '_id'"),
        ("corpus.jsonl", "", r"corpus\.jsonl: contains no rows"),
        ("corpus.jsonl", '{"_id": 1, "text": "\\ud83d"}\n', r"row 1: 'text' holds half .*ud83d"),
        ("queries.jsonl", '{"_id": 1, "text": "x"}\n' * 2, r"row 2: the id '1' is that of row 1"),
        ("queries.jsonl", '{"_id": 1, "text": ["x"]}\n', r"queries\.jsonl, row 1: the query is"),
        ("qrels/test.tsv", "q1\td1\t1000\n", r"test\.tsv, row 1: the grade '1000' is no whole"),
        ("corpus.jsonl", "[1]\n", r"corpus\.jsonl, row 1: no JSON object \('\[1\]'\)\. Write"),
        ("qrels/dev.jsonl", "{}\n", r"dev\.jsonl: .* Write it as valid\.tsv"),
        ("qrels/dev.tsv", "d1\tq1\t1\n", r"dev\.tsv, row 1: no judgment of it names"),
        ("qrels/test.tsv", "h\th\th\nq1 d1\n", r"test\.tsv, row 2: .*not query id"),
        ("qrels/test.tsv", "Q1\td1\t1\n", r"row 1: no judgment of it names a query and a document"),
    ],
)
def test_malformed_collection_is_named(beir, name, content, message):
    write(beir / name, content)
    with pytest.raises(ValueError, match=message):
        search_from_beir(beir)


def test_all_faults_are_told_at_once(beir):
    write(beir / "corpus.jsonl", '{"_id": 1}\n' * 12)
    write(beir / "queries.jsonl", '{"_id": "é", "text": "x"}\n', "latin-1")
    with pytest.raises(ValueError) as raised:
        search_from_beir(beir)
    told = str(raised.value)
    assert "corpus.jsonl, rows 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more: no 'text'" in told
    assert "queries.jsonl, row 1: byte 0xe9 at place 10" in told


def test_ids_and_texts_under_other_names_are_read_and_said(beir):
    rows = [{"id": "d1", "name": "Été", "description": "warm", "new": True}]
    write(beir / "corpus.jsonl", lines(rows))
    table = search_from_beir(beir, Fields(texts=("name",), facets=("new",)))
    assert table.documents.rows() == [("d1", "", "warm", "Été", ["true"])]
    assert "corpus.jsonl: 'id' as _id and 'description' as text" in table.source.notice
    write(beir / "corpus.jsonl", lines([{"sku": 1, "name": "a"}]))
    with pytest.raises(ValueError, match=r"row 1: no '_id'; it has 'sku', 'name'\. Add it"):
        search_from_beir(beir)


def test_absent_part_of_a_collection_is_named(beir):
    (beir / "queries.jsonl").unlink()
    with pytest.raises(ValueError, match=r"queries\.jsonl: no such file"):
        search_from_beir(beir)


DOCUMENTS = """<DOC>
<DOCNO> FT-1 </DOCNO>
<HEADLINE>Wind &amp; rain</HEADLINE>
<BYLINE>A. Writer</BYLINE>
<TEXT><P>It rains.</P> <P>It blows.</P></TEXT>
</DOC>
<DOC><DOCNO>FT-2</DOCNO><TEXT>Sun.</TEXT></DOC>
"""
TOPICS = """<top>
<num> Number: 301
<title> bad weather
<desc> Description:
Storms.
</top>
<topic number="302"><title>good weather</title></topic>
<top>
<num> Number: 303
<desc> Description:
fog
</top>
"""


@pytest.fixture
def trec(tmp_path):
    write(tmp_path / "docs" / "ft.trec", DOCUMENTS)
    write(tmp_path / "topics.txt", TOPICS)
    write(tmp_path / "qrels.txt", "301 0 FT-1 2\n302 0 FT-2 1\n302 Q0 FT-1 0\n")
    return tmp_path


def test_trec(trec):
    table = search_from_trec(trec, Fields(texts=("byline",)))
    assert table.documents.rows() == [
        ("FT-1", "Wind & rain", "It rains. It blows.", "A. Writer"), ("FT-2", "", "Sun.", "")
    ]  # fmt: skip
    assert table.queries["query"].to_list() == ["bad weather", "good weather", "fog"]
    assert table.queries["query_id"].to_list() == ["301", "302", "303"]
    assert table.judgments.rows() == [("301", "FT-1", 2), ("302", "FT-2", 1), ("302", "FT-1", 0)]
    assert not table.split and not table.identical_ids


def test_trec_of_tables_with_a_split(tmp_path):
    write(tmp_path / "collection.tsv", "d1\tone\nd2\ttwo\n")
    write(tmp_path / "queries.tsv", "1\tfirst\n2\tsecond\n")
    write(tmp_path / "qrels.train.txt", "1 0 d1 1\n")
    write(tmp_path / "qrels.test.txt", "2 0 d2 1\n")
    table = search_from_trec(tmp_path)
    assert table.documents["text"].to_list() == ["one", "two"]
    assert table.split == {"test": ("2",), "train": ("1",)}
    (tmp_path / "queries.tsv").unlink()
    with pytest.raises(ValueError, match="no file of topics"):
        search_from_trec(tmp_path)


def test_the_columns_of_a_table_are_told_by_their_number_or_a_header(tmp_path):
    write(tmp_path / "queries.tsv", "qid\tquery\n1\tfirst\n")
    write(tmp_path / "qrels.tsv", "1\t0\td1\t1\n")
    write(tmp_path / "collection.tsv", "d1\thttp://x\tOne\tfirst text\n")
    table = search_from_trec(tmp_path)
    assert table.documents.rows() == [("d1", "One", "first text")]
    assert "columns of collection.tsv were read as _id, url, title, text." in table.source.notice
    write(tmp_path / "collection.tsv", "id\ttext\ttitle\nd1\tfirst text\tOne\n")
    assert search_from_trec(tmp_path).documents.rows() == [("d1", "One", "first text")]
    write(tmp_path / "collection.tsv", "d1\tone\ttwo\nd2\tone\n")
    assert search_from_trec(tmp_path).documents["text"].to_list() == ["one\ttwo", "one"]
    with pytest.raises(ValueError, match=r"laid out as TREC's.*Give --dataset trec"):
        search_from_beir(tmp_path)


def test_files_beside_the_documents_are_left_unread_and_said(trec):
    write(trec / "docs" / "readme", "Financial Times")
    write(trec / "docs" / "ft.2", DOCUMENTS.replace("FT-", "ÉT-"), "latin-1")
    write(trec / "docs" / "ft.3", DOCUMENTS.replace("FT-", "ÈT-"), "latin-1")
    table = search_from_trec(trec)
    assert table.documents.height == 6
    assert "readme holds no <DOC> … </DOC> and was left unread" in table.source.notice
    assert table.source.notice.count("is not UTF-8") == 1
    assert "So it is with 1 more files." in table.source.notice
    read = search_from_trec(trec, encoding="cp1251").documents["doc_id"].to_list()
    assert "ЙT-1" in read
    for name in ("ft.trec", "ft.2", "ft.3"):
        (trec / "docs" / name).unlink()
    with pytest.raises(ValueError, match=r"readme holds no <DOC> .* No other file has documents"):
        search_from_trec(trec)


def test_trec_of_json_lines_by_their_usual_names(tmp_path):
    write(tmp_path / "docs.jsonl", lines([{"docno": "d1", "contents": "one", "year": 1}]))
    write(tmp_path / "topics.jsonl", lines([{"qid": 7, "query": "first"}]))
    write(tmp_path / "qrels", "7 0 d1 1\n")
    table = search_from_trec(tmp_path, Fields(numbers=("year",)))
    assert table.documents.rows() == [("d1", "", "one", 1.0)]
    assert table.queries.rows() == [("7", "first")]


def test_a_collection_one_folder_further_in_is_named(beir, tmp_path_factory):
    outer = tmp_path_factory.mktemp("outer")
    beir.rename(outer / "scifact")
    with pytest.raises(ValueError, match=r"lies in scifact\. Give --data\.path .*scifact"):
        search_from_beir(outer)


def test_malformed_trec_is_named(trec):
    write(trec / "docs" / "ft.trec", "<DOC>\n<TEXT>a</TEXT>\n</DOC>\n")
    with pytest.raises(ValueError, match=r"ft\.trec, row 1: a <DOC> without a <DOCNO>"):
        search_from_trec(trec)


@pytest.fixture
def smart(tmp_path):
    write(
        tmp_path / "mine.all",
        ".I 1\n.T\nfirst\n.A\nsmith\n.W\nwings in\na stream .\n.I 2\n.W\nheat\n",
    )
    write(tmp_path / "mine.qry", ".I 001\n.W\nlift\n.I 004\n.W\nheat\n")
    write(tmp_path / "mineqrel", "1 1 1\n1 2 5\n2 2 4\n2 1 -1")
    return tmp_path


def test_smart_with_the_habits_of_cranfield(smart):
    table = search_from_smart(smart, Fields(texts=("author",)))
    assert table.documents.rows() == [("1", "first", "wings in a stream .", "smith"),
                                      ("2", "", "heat", "")]  # fmt: skip
    assert table.queries.rows() == [("1", "lift"), ("2", "heat")]
    assert table.judgments.rows() == [("1", "1", 4), ("1", "2", 0), ("2", "2", 1), ("2", "1", 0)]
    assert "Cranfield's scale" in table.source.notice and "place in the file" in table.source.notice


def test_smart_with_an_older_file_of_judgments(smart):
    write(smart / "mineqrel.old", "9 9 1\n")
    assert search_from_smart(smart).judgments.height == 4


@pytest.mark.parametrize("rows", ["001 1 0 0.0\n004 2 0 0.0\n", "1 0 1 1\n4 0 2 1\n"])
def test_smart_without_grades(smart, rows):
    write(smart / "mineqrel", rows)
    table = search_from_smart(smart)
    assert table.judgments.rows() == [("1", "1", 1), ("4", "2", 1)]
    assert table.queries["query_id"].to_list() == ["1", "4"]


def test_malformed_smart_is_named(smart):
    write(smart / "mineqrel", "1 1 good\n")
    with pytest.raises(ValueError, match=r"mineqrel, row 1: '1 1 good' is not query"):
        search_from_smart(smart)
    (smart / "mineqrel").unlink()
    with pytest.raises(ValueError, match="no file of judgments"):
        search_from_smart(smart)


@pytest.mark.parametrize("layout", ["beir", "trec", "smart"])
def test_another_layout_is_named(layout, request):
    folder = request.getfixturevalue(layout)
    doors = {"beir": search_from_beir, "trec": search_from_trec, "smart": search_from_smart}
    doors.pop(layout)
    for door in doors.values():
        with pytest.raises(ValueError, match=rf"Give --dataset {layout}"):
            door(folder)
