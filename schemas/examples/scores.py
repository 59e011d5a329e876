"""Follows experience.scores: the latest scores of each customer, merges and deletions included.

    python scores.py --brokers 127.0.0.1:9092 --registry http://127.0.0.1:8081

Needs confluent-kafka and fastavro.
"""

import argparse

from confluent_kafka import Consumer
from throughline_records import Decoder


def apply(scores, merged, customer_id, record):
    """One record of the topic; applying it twice changes nothing."""
    if record is None:  # A tombstone: the customer was erased, has expired, or withdrew consent.
        scores.pop(customer_id, None)
        merged.pop(customer_id, None)
        return "deleted"
    if record["merged_into"] is not None:  # The last record of an absorbed id: its other fields say nothing.
        scores.pop(customer_id, None)
        merged[customer_id] = record["merged_into"]
        return f"merged into {record['merged_into']}"
    if record["version"] <= scores.get(customer_id, {"version": -1})["version"]:
        return None
    scores[customer_id] = record
    return f"overall {record['overall']}, moment {record['moment']}, because of {[r['code'] for r in record['reasons']]}"


def current_id(merged, customer_id):
    """The id that survives: follow merged_into until it is absent."""
    while customer_id in merged:
        customer_id = merged[customer_id]
    return customer_id


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brokers", default="127.0.0.1:9092")
    parser.add_argument("--registry", help="address of the schema registry; none: values are JSON")
    parser.add_argument("--prefix", default="", help="prefix of the deployment's topics")
    parser.add_argument("--count", type=int, default=0, help="stop after so many records; 0: never")
    options = parser.parse_args()

    decoder = Decoder("experience.scores", options.registry)
    consumer = Consumer(
        {
            "bootstrap.servers": options.brokers,
            "group.id": "scores-example",
            "isolation.level": "read_committed",  # Otherwise scores of aborted transactions are seen.
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,  # A table in memory is read from the start every time.
        }
    )
    consumer.subscribe([options.prefix + "experience.scores"])
    scores, merged, seen = {}, {}, 0
    try:
        while options.count == 0 or seen < options.count:
            record = consumer.poll(1.0)
            if record is None:
                continue
            if record.error():
                raise RuntimeError(record.error())
            seen += 1
            customer_id = record.key().decode()
            line = apply(scores, merged, customer_id, decoder.decode(record.value()))
            if line:
                print(customer_id, line, flush=True)
    finally:
        consumer.close()


if __name__ == "__main__":
    main()
