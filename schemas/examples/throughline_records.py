"""Reads values of Throughline's topics: Avro in the Confluent wire format, or JSON.

Needs fastavro for Avro. The registry is asked once for each schema id; without one, values are JSON.
"""

import io
import json
import pathlib
import urllib.request

SCHEMAS = pathlib.Path(__file__).resolve().parent.parent


class Decoder:
    """Decodes the values of one topic to dictionaries with every field of the schema."""

    def __init__(self, topic, registry=None, version=1):
        path = SCHEMAS / f"{topic}-value" / f"{version}.avsc"
        self._reader_schema = json.loads(path.read_text())
        self._registry = registry
        self._writer_schemas = {}

    def decode(self, value):
        """The record, or None for a tombstone."""
        if value is None:
            return None
        if value[:1] == b"\x00":
            return self._decode_avro(int.from_bytes(value[1:5], "big"), value[5:])
        return self._with_defaults(json.loads(value))

    def _decode_avro(self, schema_id, datum):
        import fastavro

        if schema_id not in self._writer_schemas:
            with urllib.request.urlopen(f"{self._registry}/schemas/ids/{schema_id}") as answer:
                self._writer_schemas[schema_id] = json.loads(json.load(answer)["schema"])
        # Written with one version, read with ours: fields we lack are skipped, fields they lack get their defaults.
        return fastavro.schemaless_reader(io.BytesIO(datum), self._writer_schemas[schema_id], self._reader_schema)

    def _with_defaults(self, record):
        # In JSON an optional field without a value is absent.
        for field in self._reader_schema["fields"]:
            record.setdefault(field["name"], field["default"])
        return record
