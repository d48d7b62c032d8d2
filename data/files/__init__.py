"""A user's own data, read into the same tables as the public sets.

`--dataset csv --data.path F`, an image folder or a jsonl corpus end here. Columns are named by the
user and checked: what is missing or malformed raises a ValueError that names the file, the column
or row, what was found and what to do. Nothing is repaired in silence; what is odd but usable, such
as repeated rows, is kept and said in the table's notice.
"""

from data.files.beir import search_from_beir
from data.files.boxes import detection_from_voc
from data.files.collection import Fields
from data.files.images import images_from_folder
from data.files.interactions import interactions_from_csv
from data.files.masks import segmentation_from_folder
from data.files.smart import search_from_smart
from data.files.text_layouts import Wanted
from data.files.texts import texts_from_files
from data.files.transactions import transactions_from_csv
from data.files.trec import search_from_trec

__all__ = [
    "Wanted",
    "Fields",
    "detection_from_voc",
    "images_from_folder",
    "interactions_from_csv",
    "search_from_beir",
    "search_from_smart",
    "search_from_trec",
    "segmentation_from_folder",
    "texts_from_files",
    "transactions_from_csv",
]
