#!/usr/bin/env python3
"""Checks the hash chains of an export of the ledger without any code of the ledger.

    python3 check_export.py export.ndjson

Needs Python 3.8 and nothing else; short enough to be read before it is trusted. For every event: the line has the
members of an event and no others; metadata.hash is the SHA-256 of the line's own text without id, position and the hash
itself; the id is the UUIDv5 of the hash; the revision follows the last one of its stream; prev_hash is the hash of the
event before; log positions rise. Prints one line per thing that is wrong. Ends with 0 = it holds, 1 = it does not,
2 = it could not be read.

It proves that no event was changed, removed from the middle of a stream, added or moved, by anybody who did not compute
the hashes after it anew; not that the points add up: `npm run audit -- verify` does that too. A missing stream, or end of
a stream, needs an anchor.
"""
import gzip
import hashlib
import json
import re
import sys
import uuid
import zlib

NAMESPACE = uuid.UUID("6f1c2b0e-6a3d-5c58-9d0a-8f4be1d7a2c5")
GENESIS = "0" * 64
BETWEEN = re.compile(r',"id":("[^"]*"),"metadata":')
AFTER = re.compile(r',"position":"(\d+)","revision":(\d+),"stream":("(?:[^"\\]|\\.)*"),"type":("(?:[^"\\]|\\.)*")\}$')
UNHASHED = re.compile(r'"(?:hash|\$schema\.[^"]*)":"(?:[^"\\]|\\.)*",?')


def without_repeats(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name comes twice in one object")
    return members


value_at = json.JSONDecoder(object_pairs_hook=without_repeats).raw_decode


def read_event(line):
    """The parts of one line as they stand in it, or ValueError."""
    if not line.startswith('{"data":{'):
        raise ValueError("not an event")
    _, data_end = value_at(line, 8)
    between = BETWEEN.match(line, data_end)
    if between is None:
        raise ValueError("no id and metadata after data")
    metadata, metadata_end = value_at(line, between.end())
    after = AFTER.match(line, metadata_end)
    if after is None:
        raise ValueError("no position, revision, stream and type after metadata")
    if not isinstance(metadata, dict) or any(not isinstance(each, str) for each in metadata.values()):
        raise ValueError("metadata is not a flat map of strings")
    hashed = re.sub(",}$", "}", UNHASHED.sub("", line[between.end():metadata_end]))
    text = '{"data":%s,"metadata":%s,"revision":%s,"stream":%s,"type":%s}' % (
        line[8:data_end], hashed, after[2], after[3], after[4])
    return json.loads(between[1]), metadata, text, int(after[1]), int(after[2]), json.loads(after[3])


def problems_of(lines):
    heads, last_position = {}, -1
    for number, raw in enumerate(lines, 1):
        where = "line %d" % number
        try:
            line = raw.decode("utf-8")
            if not line.endswith("\n"):
                raise ValueError("the line has no end: the file is cut")
            event_id, metadata, text, position, revision, stream = read_event(line[:-1])
        except ValueError as error:
            yield "%s: %s" % (where, error)
            continue
        where += ", %s revision %d" % (stream, revision)
        computed = hashlib.sha256(text.encode("utf-8")).hexdigest()
        if computed != metadata.get("hash"):
            yield "%s: the content hashes to %s, metadata.hash says %s" % (where, computed, metadata.get("hash"))
        elif event_id != str(uuid.uuid5(NAMESPACE, computed)):
            yield "%s: the id does not come from the hash" % where
        known_revision, known_hash = heads.get(stream, (-1, GENESIS))
        if revision != known_revision + 1:
            yield "%s: revision %d was expected" % (where, known_revision + 1)
        elif metadata.get("prev_hash") != known_hash:
            yield "%s: does not follow the event before" % where
        if position <= last_position:
            yield "%s: position %d after %d" % (where, position, last_position)
        heads[stream], last_position = (revision, metadata.get("hash")), position
    if last_position == -1:
        yield "there are no events"
    print("%d streams, %d events, up to position %d" % (len(heads), sum(r + 1 for r, _ in heads.values()), last_position))


def main(path):
    with open(path, "rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    found = 0
    with (gzip.open if zipped else open)(path, "rb") as lines:
        for problem in problems_of(lines):
            found += 1
            print(problem)
    print("does not hold: %d problems" % found if found else "holds")
    return 1 if found else 0


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] in ("-h", "--help"):
        print(__doc__)
        sys.exit(0 if len(sys.argv) == 2 else 2)
    try:
        sys.exit(main(sys.argv[1]))
    except (OSError, EOFError, zlib.error) as error:
        print("cannot be read: %s" % error)
        sys.exit(2)
