"""Cards of the three MovieLens sets: their files, licence and published counts.

The licence of 100K and 1M forbids redistribution, and all three forbid commercial use without
permission, which is shown before a download. GroupLens publishes each as one zip; the members'
checksums are held here, so any copy of the members can be verified.
"""

from __future__ import annotations

from data.cards import Archive, Card, File, Form

_CITATION = "Harper and Konstan, The MovieLens Datasets: History and Context, 2015"
_BASE = "https://files.grouplens.org/datasets/movielens/"
_ZIP_100K = Archive((_BASE + "ml-100k.zip",), "zip", limit_bytes=20_000_000)
_ZIP_1M = Archive(
    (_BASE + "ml-1m.zip",),
    "zip",
    limit_bytes=20_000_000,
    # Its MD5 is the c4d9eecfca2ab87c1945afe126590906 that GroupLens publishes.
    sha256="a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
)
_ZIP_SMALL = Archive((_BASE + "ml-latest-small.zip",), "zip", limit_bytes=20_000_000)
_NCF = (
    "https://raw.githubusercontent.com/hexiangnan/neural_collaborative_filtering/"
    "4aab159e81c44b062c091bdaed0ab54ac632371f/Data/"
)

ML_100K = Card(
    name="movielens-100k",
    folder="ml-100k",
    title="MovieLens 100K",
    task="recommendation",
    homepage="https://grouplens.org/datasets/movielens/100k/",
    licence="GroupLens: research, no redistribution",
    restriction="The user may not redistribute the data without separate permission, nor use it "
    "for any commercial or revenue-bearing purpose without permission (GroupLens README).",
    citation=_CITATION,
    published={"ratings": 100000, "users": 943, "items": 1682},
    forms=(
        Form(
            "official",
            tuple(
                File(name, size, digest, archive=_ZIP_100K, member=f"ml-100k/{name}")
                for name, size, digest in (
                    (
                        "u.data",
                        1979173,
                        "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490",
                    ),
                    (
                        "u.item",
                        236344,
                        "553841ebc7de3a0fd0d6b62a204ea30c1e651aacfb2814c7a6584ac52f2c5701",
                    ),
                    (
                        "u.user",
                        22628,
                        "f120e114da2e8cf314fd28f99417c94ae9ddf1cb6db8ce0e4b5995d40e90e62c",
                    ),
                    (
                        "u.genre",
                        202,
                        "9757e0d3e6b298159a80dd48eaf938114690e911e39af97a76949ef1663610bb",
                    ),
                )
            ),
        ),
    ),
)

_USERS_1M = File(
    "users.dat",
    134368,
    "1dc3a95300cb19f7c10e027daf29b8cdf1d908dab65b5edfb45950aa389a10a3",
    archive=_ZIP_1M,
    member="ml-1m/users.dat",
)
_MOVIES_1M = File(
    "movies.dat",
    171308,
    "0140fc2356357c1a851d0f52e893a1e4d3696df632c4141cea8d5bc3d621f0b9",
    archive=_ZIP_1M,
    member="ml-1m/movies.dat",
)
_NCF_FILES = (
    File(
        "ncf.ml-1m.test.rating",
        128039,
        "231ae11eb060b643a8c58c063cd17ffc743b54f569afb073d1abb6cf126b88b5",
        urls=(_NCF + "ml-1m.test.rating",),
    ),
    File(
        "ncf.ml-1m.test.negative",
        2891424,
        "127853228a76b7d21c0481e8ef8d00dd009cd5c88670dbdd9e9debfdb9f93de4",
        urls=(_NCF + "ml-1m.test.negative",),
    ),
)

ML_1M = Card(
    name="movielens-1m",
    folder="ml-1m",
    title="MovieLens 1M",
    task="recommendation",
    homepage="https://grouplens.org/datasets/movielens/1m/",
    licence="GroupLens: research, no redistribution",
    restriction="The user may not redistribute the data without separate permission, nor use it "
    "for any commercial or revenue-bearing purpose without permission (GroupLens README).",
    citation=_CITATION,
    published={"ratings": 1000209, "users": 6040, "items": 3883, "items_rated": 3706},
    forms=(
        Form(
            "official",
            (
                File("ratings.dat", None, None, archive=_ZIP_1M, member="ml-1m/ratings.dat"),
                _USERS_1M,
                _MOVIES_1M,
                *_NCF_FILES,
            ),
        ),
        Form(
            "pairs",
            (
                File(
                    "ratings.parquet",
                    1549462,
                    "b354c7081dd0a6ca6b2711d6ae48d057ade864332ae90e28856372997d88994f",
                ),
                _USERS_1M,
                _MOVIES_1M,
                *_NCF_FILES,
            ),
            note="Pairs of user and film in the order of ratings.dat, without rating and time.",
        ),
    ),
)

LATEST_SMALL = Card(
    name="movielens-latest-small",
    folder="ml-latest-small",
    title="MovieLens latest-small (9/2018)",
    task="recommendation",
    homepage="https://grouplens.org/datasets/movielens/latest/",
    licence="GroupLens: share alike, non-commercial",
    restriction="The data may be redistributed under the same licence only, and not used for any "
    "commercial or revenue-bearing purpose without permission (GroupLens README).",
    citation=_CITATION,
    published={"ratings": 100836, "users": 610, "items": 9742, "tags": 3683},
    forms=(
        Form(
            "official",
            tuple(
                File(name, size, digest, archive=_ZIP_SMALL, member=f"ml-latest-small/{name}")
                for name, size, digest in (
                    (
                        "ratings.csv",
                        2483723,
                        "aa289ca83157595d0df6aea1be6a4ded676ddc4385472e8313a8ed9805352646",
                    ),
                    (
                        "movies.csv",
                        494431,
                        "5a5f32dd9bb3797b8e728a1b98958789d2b13f294a69fdfbc5727f8a9611aa07",
                    ),
                    (
                        "links.csv",
                        197979,
                        "97ad18e4e56a09363c65676b6cb3482ce3e2cea2372a24620c1599c843325f31",
                    ),
                    (
                        "tags.csv",
                        118660,
                        "92a9f8bb7916dceef6151209845788c3643f794dfa79d1feaec7121b5960399d",
                    ),
                )
            ),
        ),
    ),
)
