//! Avro as a producer and a consumer of the outside speak it: the published schemas and a common library.

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use serde_json::Value;

/// The newest published schema of a subject, as its file has it.
pub fn published(subject: &str) -> String {
    let path = format!("{}/../../schemas/{subject}/1.avsc", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A record in the wire format of the registry. Fields that `record` leaves out have the defaults of the schema.
pub fn encode(schema_id: u32, schema: &str, record: Value) -> Vec<u8> {
    let schema = Schema::parse_str(schema).expect("the schema is valid");
    let value = Avro::try_from(record).and_then(|value| value.resolve(&schema)).expect("the record fits the schema");
    let mut bytes = vec![0];
    bytes.extend_from_slice(&schema_id.to_be_bytes());
    let writer = GenericDatumWriter::builder(&schema).build().expect("the schema can be written with");
    writer.write_value(&mut bytes, value).expect("the record can be written");
    bytes
}

/// The record behind a schema id, read with its published schema.
pub fn decode(schema: &str, bytes: &[u8]) -> Value {
    assert_eq!(bytes.first(), Some(&0), "the magic byte of the wire format");
    let schema = Schema::parse_str(schema).expect("the schema is valid");
    let reader = GenericDatumReader::builder(&schema).build().expect("the schema can be read with");
    let value = reader.read_value(&mut &bytes[5..]).expect("the bytes are those of the schema");
    Value::try_from(value).expect("every value has a JSON form")
}
