"""Readers of labelled texts on tiny files of the same format, made up here."""

import pytest
from tiny_dataset import fetched

from data import ag_news, sms_spam, sst2
from data.errors import Damaged

PHRASES = 'label\tsentence\n0\ta "dull thing\n1\tgood fun \n'
SENTENCES = "label\tcontent\n1\tgood fun , all of it .\n"


def test_sst2_takes_dev_as_the_test_in_both_packings(tmp_path):
    published = {"train": 2, "dev": 1}
    files = {"train.tsv": PHRASES, "dev.tsv": SENTENCES}
    table = sst2.read(fetched(sst2.CARD, tmp_path, files, published=published))
    assert table.train.rows() == [('a "dull thing', 0), ("good fun", 1)]
    assert table.test.rows() == [("good fun , all of it .", 1)]
    assert table.label_names == ("negative", "positive") and table.valid is None
    (tmp_path / "SST-2").mkdir()
    turned = "sentence\tlabel\nfine\t1\nbad \t0\n"
    files = {"SST-2/train.tsv": turned, "SST-2/dev.tsv": "sentence\tlabel\nbad film\t0\n"}
    again = sst2.read(fetched(sst2.CARD, tmp_path, files, form=1, published=published))
    assert again.train.rows() == [("fine", 1), ("bad", 0)] and again.test.rows() == [
        ("bad film", 0)
    ]
    with pytest.raises(Damaged, match="2, 'dev': 1"):
        sst2.read(fetched(sst2.CARD, tmp_path, files, form=1, published={"train": 3}))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_sms_spam_keeps_what_repeats_in_one_part(tmp_path, end):
    lines = [f"ham\tSee you at {word}, said\t{word}?" for word in "ab cd ef gh ij kl mn op".split()]
    lines += [f"spam\tCall 0{number} NOW to win £{number}00!" for number in range(9)]
    lines += ["spam\tcall 7 now, to win £1"]
    text = end.join(lines) + end
    table = sms_spam.read(fetched(sms_spam.CARD, tmp_path, {"SMSSpamCollection": text.encode()}))
    assert table.train.height + table.test.height == 18 and table.test.height
    spam = [part.filter(label=1).height for part in (table.train, table.test)]
    assert sorted(spam) == [0, 10]  # all of them one message, with other digits
    texts = table.train["text"].to_list() + table.test["text"].to_list()
    assert "See you at ab, said\tab?" in texts
    assert table.source.notice == sms_spam.SPLIT_NOTICE


def test_ag_news_is_read_in_full_or_from_subsets(tmp_path):
    test = '"3","Oil up","Prices of ""crude"" rose\\again."\n'
    full = {"train.csv": '"1","Vote","Polls open."\n"4","Chip","A new chip."\n', "test.csv": test}
    table = ag_news.read(fetched(ag_news.CARD, tmp_path, full))
    assert table.train.rows() == [("Vote Polls open.", 0), ("Chip A new chip.", 3)]
    assert table.test.rows() == [('Oil up Prices of "crude" rose again.', 2)]
    assert table.source.notice is None
    story = "one two three four five six seven eight nine ten eleven twelve"
    subset = {
        "test.csv": test + f'"1","Held","{story} out."\n',
        "train_noisyagnews.csv": f'label,gt,text,group\n2,1,"Cup . {story}",5\n0,0,Vote now,1\n',
        "train_lst.csv": f'"Cup {story}",1\nHeld twice {story} OUT,0\n',
        "train_alps.tsv": f'{story}\tSports\nA "chip\tSci/Tech\nno label here\n',
    }
    table = ag_news.read(fetched(ag_news.CARD, tmp_path, subset, form=1))
    assert table.train.rows() == [(f"Cup . {story}", 1), ("Vote now", 0), ('A "chip', 3)]
    assert table.test.height == 2 and "3 of the 120,000" in str(table.source.notice)
