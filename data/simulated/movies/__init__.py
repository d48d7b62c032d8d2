"""A simulated world of people watching films: the offline default of recommendation.

Planted truth. Every film has a taste vector over genres and hidden dimensions that only its
overview tells of, a quality, a release day, and a popularity with a long tail that rises or falls
over the period. Every person has a taste that demographics pull and that turns from a first to a
last one over the period, an activity, a day of joining and a habit of devices. Sessions start by
the hour of the day; each shows a shelf drawn by the popularity of the day, from which films are
chosen by taste and device. A view is watched to the end or abandoned, and rated or not, by how much
it was liked; both are read off the same liking that `true_preference` gives for any pair and day.

Read in this order: `words`, `truth` (the formulas), `people`, `films`, `sessions`, `world`. The
truth travels in the `extra` of the table; the tables that a recommender reads do not hold it.

    interactions  user_id, item_id, rating (1 to 5, null where unrated), timestamp, device,
                  watch_seconds, session_id
    users         user_id, age, gender, occupation, joined
    items         item_id, title, genres, year, text, runtime_minutes, release_date
    extra         exposures     user_id, item_id, timestamp, position, clicked, session_id of some
                                sessions: what their shelves showed, best place 0
                  person_taste  user_id, first, last: unit vectors over GENRES + HIDDEN
                  film_taste    item_id, taste, quality, appeal, trend
                  world         start, days, sharpness, drift: one row
"""

from data.simulated.movies.truth import (
    DEVICES,
    START,
    expected_viewing,
    finish_probability,
    true_preference,
)
from data.simulated.movies.words import GENRES, HIDDEN
from data.simulated.movies.world import generate, rating_probability

__all__ = [
    "DEVICES",
    "GENRES",
    "HIDDEN",
    "START",
    "expected_viewing",
    "finish_probability",
    "generate",
    "rating_probability",
    "true_preference",
]
