"""A folder of sound files, and what breaks one of them.

A row of BROKEN: file, its bytes, class of the fault, line, message after `expected`.
"""

from broken_runs import RUN

from rocketqa.files.rows import LINE_ENDS

NO_TAB = "1 (columns are separated by tabs)"
SOUND = {
    "collection.tsv": b"p1\tApollo\tApollo flew to the moon\np2\t\tGemini came before\n"
    b"p3\tt\tthree\np4\tt\tfour\n",
    "queries.train.tsv": b"q1\twho flew\nq2\twhat came before\n",
    "queries.dev.tsv": b"d1\twhen was that\nd2\twhere was it\n",
    "qrels.train.tsv": b"q1\t0\tp1\t1\nq2\t0\tp2\t1\nq2\t0\tp3\t0\n",
    "qrels.dev.tsv": b"d1\tp3\nd2\tp4\n",
    "answers.dev.tsv": b"d1\t1972\nd2\tMoon\tthe moon\n",
    "dev.run": b"d1\tQ0\tp3\t1\t2.5\tx\nd1\tQ0\tp1\t2\t1.5\tx\nd2\tQ0\tp4\t1\t0.5\tx\n",
    "marco.run": b"d1\tp3\t1\nd1\tp1\t2\nd2\tp4\t1\n",
    "released.run": b"d1\tp3\t1\t2.5\nd1\tp1\t2\t1.5\nd2\tp4\t1\t0.5\n",
    "examples.dual.tsv": b"q1\tp1\tp2\nq1\tp1\tp3\nq2\tp2\tp1\n",
    "examples.cross.tsv": b"q1\tp1\t1\nq1\tp2\t0\nq2\tp2\t1\nq2\tp4\t0\n",
}

COLLECTION = [
    (b"p1\tApollo\np2\t\tx\np3\tt\tx\np4\tt\tx\n", "columns", 1, "3 columns, got 2"),
    (b"p1\tt\tx\np2\t\tx\n\np3\tt\tx\np4\tt\tx\n", "columns", 3, f"3 columns, got {NO_TAB}"),
    (b"p1\tt\tx\np2\t\tx\tmore\np3\tt\tx\np4\tt\tx\n", "stray tabs", 2, "3 columns, got 4"),
    (
        b"\tt\tx\np1\tt\tx\np2\tt\tx\np3\tt\tx\np4\tt\tx\n",
        "empty ids",
        1,
        "a passage_id without spaces, got ''",
    ),
    (
        b"p1\tt\tx\np2\tt\tx\np 5\tt\tx\np3\tt\tx\np4\tt\tx\n",
        "spaces in ids",
        3,
        "a passage_id without spaces, got 'p 5'",
    ),
    (
        b"p1\tt\tx\np2\tt\tx\np3\0\tt\tx\np3\tt\tx\np4\tt\tx\n",
        "NUL in ids",
        3,
        r"a passage_id without NUL, got 'p3\x00'",
    ),
    (
        b"p1\tt\tx\np2\tt\tx\np1\tt\tx\np3\tt\tx\np4\tt\tx\n",
        "duplicate ids",
        3,
        "each id once, got 'p1' again",
    ),
    (b"p1\tt\t\np2\tt\tx\np3\tt\tx\np4\tt\tx\n", "empty text", 1, "a text, got an empty one"),
    (
        b"p1\tt\tx\np2\tt\t \xc2\xa0 \np3\tt\tx\np4\tt\tx\n",
        "empty text",
        2,
        "a text, got an empty one",
    ),
    (
        b"p1\tt\tx\np2\tt\tx\r\np3\tt\tx\np4\tt\tx\n",
        "carriage returns",
        2,
        f"{LINE_ENDS}, got a carriage return",
    ),
    (
        b"p1\tt\tx\np2\tt\ta\rb\np3\tt\tx\np4\tt\tx\n",
        "carriage returns",
        2,
        f"{LINE_ENDS}, got a carriage return",
    ),
    (
        b"\xef\xbb\xbfp1\tt\tx\np2\tt\tx\np3\tt\tx\np4\tt\tx\n",
        "byte order mark",
        1,
        "text, got a byte order mark",
    ),
    (b"p1\tt\tx\np2\tt\tx\np3\tt\tx\np4\tt\tna\xefve\n", "UTF-8", 4, "UTF-8, got byte 0xef at 7"),
    (b"p1\tt\tx\np2\tt\tx\np3\t\xff\tx\np4\tt\tx\n", "UTF-8", 3, "UTF-8, got byte 0xff at 3"),
    (
        b"p1\tt\tx\np2\tt\tx\np3\tt\tx\np4\tt\tx",
        "final newline",
        4,
        "a newline at the end of the file, got none",
    ),
]
QUERIES = [
    (b"d1\nd2\twhere\n", "columns", 1, f"2 columns, got {NO_TAB}"),
    (b"d1\twhen\nd2\twhere\tis it\n", "stray tabs", 2, "2 columns, got 3"),
    (b"d1\twhen\nd2\twhere\n\tno id\n", "empty ids", 3, "a query_id without spaces, got ''"),
    (
        b"d1\twhen\nd2\twhere\n d3\tblank\n",
        "spaces in ids",
        3,
        "a query_id without spaces, got ' d3'",
    ),
    (b"d1\twhen\nd2\twhere\nd1\tanother\n", "duplicate ids", 3, "each id once, got 'd1' again"),
    (b"d1\t\nd2\twhere\n", "empty text", 1, "a text, got an empty one"),
    (
        b"d1\twhen\r\nd2\twhere\n",
        "carriage returns",
        1,
        f"{LINE_ENDS}, got a carriage return",
    ),
    (b"\xef\xbb\xbfd1\twhen\nd2\twhere\n", "byte order mark", 1, "text, got a byte order mark"),
    (b"d1\twhen\nd2\t\xe9t\xe9\n", "UTF-8", 2, "UTF-8, got byte 0xe9 at 3"),
    (b"d1\twhen\nd2\twhere", "final newline", 2, "a newline at the end of the file, got none"),
    (
        b"d1\twhen\nd2\twhere\nq1\tnew words\n",
        "training queries",
        3,
        "a query that is not for training, got the id 'q1' of one",
    ),
    (
        b"d1\twho flew\nd2\twhere\n",
        "training queries",
        1,
        "a query that is not for training, got the text of 'q1', which is",
    ),
    (
        b"d1\twhen\nd2\tWhat  came before\n",
        "training queries",
        2,
        "a query that is not for training, got the text of 'q2', which is",
    ),
]
QRELS = [
    (b"q1\t0\tp1\n", "columns", 1, "4 or 2 columns, got 3"),
    (b"q1\t0\tp1\t1\t\n", "stray tabs", 1, "4 or 2 columns, got 5"),
    (b"q1\t0\tp1\t1\nq2\tp2\n", "mixed forms", 2, "4 columns, got 2"),
    (b"q1\tp1\nq2\t0\tp2\t1\n", "mixed forms", 2, "2 columns, got 4"),
    (b"\t0\tp1\t1\n", "empty ids", 1, "a query_id without spaces, got ''"),
    (b"q1\t0\t\t1\n", "empty ids", 1, "a passage_id without spaces, got ''"),
    (
        b"q1\t0\tp1\t1\nq2\t0\tp2\t1\nq1\t0\tp1\t0\n",
        "duplicate ids",
        3,
        "each id once, got ('q1', 'p1') again",
    ),
    (b"q1\t0\tp1\t1\nq9\t0\tp2\t1\n", "unknown ids", 2, "a query_id of the queries, got 'q9'"),
    (b"d1\t0\tp1\t1\n", "unknown ids", 1, "a query_id of the queries, got 'd1'"),
    (b"q1\t0\tp9\t1\n", "unknown ids", 1, "a passage_id of the collection, got 'p9'"),
    (b"q1\t0\tp1\tyes\n", "numbers", 1, "relevance as int, got 'yes'"),
    (b"q1\t0\tp1\t1.0\n", "numbers", 1, "relevance as int, got '1.0'"),
    (
        b"q1\t0\tp1\t1\r\n",
        "carriage returns",
        1,
        f"{LINE_ENDS}, got a carriage return",
    ),
    (
        b"q1\t0\tp1\t1\nq2\t0\tp2\t1",
        "final newline",
        2,
        "a newline at the end of the file, got none",
    ),
    (b"", "empty file", 1, "a line, got an empty file"),
]
ANSWERS = [
    (b"d1\n", "columns", 1, f"at least 2 columns, got {NO_TAB}"),
    (b"d1\t1972\t\n", "empty text", 1, "an answer with a visible character, got ''"),
    (b"d1\t\xe2\x80\x8b\n", "empty text", 1, r"an answer with a visible character, got '\u200b'"),
    (b"d1\t1972\nd1\t1973\n", "duplicate ids", 2, "each id once, got 'd1' again"),
    (b"d9\t1972\n", "unknown ids", 1, "a query_id of the queries, got 'd9'"),
    (b"\t1972\n", "empty ids", 1, "a query_id without spaces, got ''"),
    (b"d1\t1972", "final newline", 1, "a newline at the end of the file, got none"),
    (b"d1\t19\x8072\n", "UTF-8", 1, "UTF-8, got byte 0x80 at 5"),
]
DUAL = [
    (b"q1\n", "columns", 1, f"at least 2 columns, got {NO_TAB}"),
    (
        b"q1\tp1\tp1\n",
        "positive and negative",
        1,
        "a passage positive or negative for query q1, got 'p1' as both",
    ),
    (
        b"q1\tp1\tp2\nq1\tp3\tp1\n",
        "positive and negative",
        2,
        "a passage positive or negative for query q1, got 'p1' as both",
    ),
    (
        b"q1\tp1\tp2\nq1\tp2\tp3\n",
        "positive and negative",
        2,
        "a passage positive or negative for query q1, got 'p2' as both",
    ),
    (
        b"q2\tp4\tp2\n",
        "positive and negative",
        1,
        "a passage positive or negative for query q2, got 'p2' as both",
    ),
    (b"q1\tp1\tp9\n", "unknown ids", 1, "a passage_id of the collection, got 'p9'"),
    (b"q9\tp1\tp2\n", "unknown ids", 1, "a query_id of the queries, got 'q9'"),
    (b"q1\tp1\t\n", "empty ids", 1, "a passage_id without spaces, got ''"),
    (
        b"q1\tp1\tp2\r\n",
        "carriage returns",
        1,
        f"{LINE_ENDS}, got a carriage return",
    ),
    (b"q1\tp1\tp2", "final newline", 1, "a newline at the end of the file, got none"),
]
CROSS = [
    (b"q1\tp1\n", "columns", 1, "3 columns, got 2"),
    (b"q1\tp1\t1\t\n", "stray tabs", 1, "3 columns, got 4"),
    (b"q1\tp1\t2\n", "labels", 1, "label 0 or 1, got '2'"),
    (
        b"q1\tp3\t1\nq1\tp3\t0\n",
        "positive and negative",
        2,
        "a passage positive or negative for query q1, got 'p3' as both",
    ),
    (
        b"q1\tp1\t0\n",
        "positive and negative",
        1,
        "a passage positive or negative for query q1, got 'p1' as both",
    ),
    (b"q1\tp9\t1\n", "unknown ids", 1, "a passage_id of the collection, got 'p9'"),
    (b"q9\tp1\t1\n", "unknown ids", 1, "a query_id of the queries, got 'q9'"),
    (b"q1\tp1\t1", "final newline", 1, "a newline at the end of the file, got none"),
]
BROKEN = [
    (file, *case)
    for file, cases in (
        ("collection.tsv", COLLECTION),
        ("queries.dev.tsv", QUERIES),
        ("qrels.train.tsv", QRELS),
        ("answers.dev.tsv", ANSWERS),
        ("dev.run", RUN),
        ("examples.dual.tsv", DUAL),
        ("examples.cross.tsv", CROSS),
    )
    for case in cases
]
