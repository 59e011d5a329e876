"""Follows experience.alerts and interrupts a person where the alert says so, once per transition.

    python alerts.py --brokers 127.0.0.1:9092 --registry http://127.0.0.1:8081

Needs confluent-kafka and fastavro.
"""

import argparse

from confluent_kafka import Consumer
from throughline_records import Decoder


def apply(last_seq, record):
    """A line for a person, or None for a transition that was seen before."""
    alert_id, seq = record["alert_id"], record["seq"]
    if seq <= last_seq.get(alert_id, 0):  # (alert_id, seq) is the key of idempotence.
        return None
    last_seq[alert_id] = seq
    # Unknown types, states and transitions are passed on as they are: a minor version may add one.
    call = "PAGE" if record["page"] else "note"
    why = "; ".join(reason["text"] for reason in record["reasons"])
    return f"{call} {record['severity']} {record['type']} {record['transition']} of {record['subject']['id']}: {why}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brokers", default="127.0.0.1:9092")
    parser.add_argument("--registry", help="address of the schema registry; none: values are JSON")
    parser.add_argument("--prefix", default="", help="prefix of the deployment's topics")
    parser.add_argument("--severity", help="only alerts of this severity, for instance P1")
    parser.add_argument("--count", type=int, default=0, help="stop after so many records; 0: never")
    options = parser.parse_args()

    decoder = Decoder("experience.alerts", options.registry)
    consumer = Consumer(
        {
            "bootstrap.servers": options.brokers,
            "group.id": "alerts-example",
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([options.prefix + "experience.alerts"])
    last_seq, seen = {}, 0
    try:
        while options.count == 0 or seen < options.count:
            record = consumer.poll(1.0)
            if record is None:
                continue
            if record.error():
                raise RuntimeError(record.error())
            seen += 1
            # Headers are enough to filter; nothing is decoded for what is not wanted.
            headers = {name: (value or b"").decode() for name, value in record.headers() or []}
            if options.severity and headers.get("throughline_severity") != options.severity:
                continue
            line = apply(last_seq, decoder.decode(record.value()))
            if line:
                print(line, flush=True)
    finally:
        consumer.close()


if __name__ == "__main__":
    main()
