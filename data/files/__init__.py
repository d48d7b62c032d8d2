"""A user's own data, read into the same tables as the public sets.

`--dataset csv --data.path F`, an image folder or a jsonl corpus end here. Columns are named by the
user and checked: what is missing or malformed raises a ValueError that names the file, the column
or row, what was found and what to do. Nothing is repaired in silence; what is odd but usable, such
as repeated rows, is kept and said in the table's notice.
"""

from data.files.beir import search_from_beir
from data.files.boxes.coco import detection_from_coco
from data.files.boxes.voc import detection_from_voc
from data.files.boxes.yolo import detection_from_yolo
from data.files.collection import Fields
from data.files.conll import tags_from_conll
from data.files.images import images_from_folder
from data.files.interactions import EventColumns, interactions_from_csv
from data.files.masks.objects import objects_from_folder
from data.files.masks.semantic import semantic_from_folder
from data.files.parallel import parallel_from_files
from data.files.questions import questions_from_squad_json
from data.files.series import are_neighbours_alike, series_groups, series_of, thumbnail
from data.files.smart import search_from_smart
from data.files.text_layouts import Wanted
from data.files.texts import texts_from_files
from data.files.transactions import transactions_from_csv
from data.files.trec import search_from_trec

__all__ = [
    "EventColumns",
    "Fields",
    "Wanted",
    "detection_from_coco",
    "are_neighbours_alike",
    "detection_from_voc",
    "detection_from_yolo",
    "images_from_folder",
    "interactions_from_csv",
    "objects_from_folder",
    "parallel_from_files",
    "questions_from_squad_json",
    "search_from_beir",
    "search_from_smart",
    "search_from_trec",
    "semantic_from_folder",
    "series_groups",
    "series_of",
    "tags_from_conll",
    "texts_from_files",
    "thumbnail",
    "transactions_from_csv",
]
