//! Paths to calls of the store, refusals to documented codes.

use serde_json::{Map, Value, json};

use super::http::{Request, Response};
use super::store::{Compatibility, Entry, Refusal, Store};

type Outcome = Result<Value, Response>;

/// The answer to one request.
pub(super) fn answer(store: &mut Store, request: &Request) -> Response {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let decoded: Vec<String> = path.trim_matches('/').split('/').map(decode_percent).collect();
    let segments: Vec<&str> = decoded.iter().map(String::as_str).collect();
    let flags = Flags { query };
    let outcome = match request.method.as_str() {
        "GET" => read(store, &segments, &flags),
        "POST" => submit(store, &segments, &flags, &request.body),
        "PUT" => configure(store, &segments, &request.body),
        "DELETE" => delete(store, &segments, &flags),
        _ => Err(Response::refusal(405, 405, "HTTP 405 Method Not Allowed")),
    };
    outcome.map_or_else(|refusal| refusal, Response::ok)
}

struct Flags<'a> {
    query: &'a str,
}

impl Flags<'_> {
    fn is_set(&self, name: &str) -> bool {
        self.query.split('&').any(|pair| pair.split_once('=') == Some((name, "true")))
    }
}

fn read(store: &Store, segments: &[&str], flags: &Flags<'_>) -> Outcome {
    match segments {
        [""] => Ok(json!({})),
        ["schemas", "types"] => Ok(json!(["JSON", "PROTOBUF", "AVRO"])),
        ["schemas", "ids", id] => {
            let stored = store.schema(parse_id(id)?)?;
            let mut body = json!({ "schema": stored.text });
            if stored.kind != "AVRO" {
                body["schemaType"] = json!(stored.kind);
            }
            Ok(body)
        }
        ["schemas", "ids", id, "schema"] => Ok(raw(&store.schema(parse_id(id)?)?.text)),
        ["schemas", "ids", id, "subjects"] => {
            let id = parse_id(id)?;
            store.schema(id)?;
            Ok(store.uses(id).into_iter().map(|(subject, _)| json!(subject)).collect())
        }
        ["schemas", "ids", id, "versions"] => {
            let id = parse_id(id)?;
            store.schema(id)?;
            let uses = store.uses(id).into_iter();
            Ok(uses.map(|(subject, version)| json!({ "subject": subject, "version": version })).collect())
        }
        ["subjects"] => Ok(json!(store.subjects(flags.is_set("deleted")))),
        ["subjects", subject, "versions"] => {
            let versions = store.versions(subject, flags.is_set("deleted"))?;
            Ok(versions.into_iter().map(|entry| json!(entry.version)).collect())
        }
        ["subjects", subject, "versions", version] => {
            let entry = store.version(subject, parse_version(version)?)?;
            Ok(Value::Object(describe(store, subject, entry)?))
        }
        ["subjects", subject, "versions", version, "schema"] => {
            let entry = store.version(subject, parse_version(version)?)?;
            Ok(raw(&store.schema(entry.id)?.text))
        }
        ["config"] => Ok(json!({ "compatibilityLevel": store.global_level.name() })),
        ["config", subject] => match store.levels.get(*subject) {
            Some(level) => Ok(json!({ "compatibilityLevel": level.name() })),
            None if flags.is_set("defaultToGlobal") => Ok(json!({ "compatibilityLevel": store.global_level.name() })),
            None => Err(Response::refusal(
                404,
                40408,
                format!("Subject '{subject}' does not have subject-level compatibility configured"),
            )),
        },
        ["mode"] => Ok(json!({ "mode": "READWRITE" })),
        _ => Err(not_found()),
    }
}

fn submit(store: &mut Store, segments: &[&str], flags: &Flags<'_>, body: &[u8]) -> Outcome {
    match segments {
        ["subjects", subject, "versions"] => {
            let submitted = Submitted::parse(body)?;
            let id = store.register(subject, &submitted.schema, &submitted.kind)?;
            Ok(json!({ "id": id }))
        }
        ["subjects", subject] => {
            let submitted = Submitted::parse(body)?;
            let entry = store.find(subject, &submitted.schema, &submitted.kind)?;
            Ok(Value::Object(describe(store, subject, entry)?))
        }
        ["compatibility", "subjects", subject, "versions"] => compatible(store, subject, None, flags, body),
        ["compatibility", "subjects", subject, "versions", version] => {
            let version = store.version(subject, parse_version(version)?)?.version;
            compatible(store, subject, Some(version), flags, body)
        }
        _ => Err(not_found()),
    }
}

fn compatible(store: &Store, subject: &str, against: Option<u32>, flags: &Flags<'_>, body: &[u8]) -> Outcome {
    let submitted = Submitted::parse(body)?;
    let reasons = store.check(subject, &submitted.schema, &submitted.kind, against)?;
    let mut answer = json!({ "is_compatible": reasons.is_empty() });
    if flags.is_set("verbose") {
        answer["messages"] = json!(reasons);
    }
    Ok(answer)
}

fn configure(store: &mut Store, segments: &[&str], body: &[u8]) -> Outcome {
    let body: Value = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
    let name = body["compatibility"].as_str().unwrap_or_default();
    let level = Compatibility::parse(name).ok_or_else(|| {
        let known = "none, backward, forward, full, backward_transitive, forward_transitive, and full_transitive";
        Response::refusal(422, 42203, format!("Invalid compatibility level. Valid values are {known}"))
    })?;
    match segments {
        ["config"] => store.global_level = level,
        ["config", subject] => {
            store.levels.insert((*subject).to_owned(), level);
        }
        _ => return Err(not_found()),
    }
    Ok(json!({ "compatibility": level.name() }))
}

fn delete(store: &mut Store, segments: &[&str], flags: &Flags<'_>) -> Outcome {
    match segments {
        ["subjects", subject] => Ok(json!(store.delete(subject, flags.is_set("permanent"))?)),
        ["config", subject] => {
            let level = store.levels.remove(*subject);
            let level = level.ok_or_else(|| Response::from(Refusal::SubjectNotFound((*subject).to_owned())))?;
            Ok(json!({ "compatibilityLevel": level.name() }))
        }
        _ => Err(not_found()),
    }
}

struct Submitted {
    schema: String,
    kind: String,
}

impl Submitted {
    fn parse(body: &[u8]) -> Result<Self, Response> {
        let body: Value = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
        if body["references"].as_array().is_some_and(|references| !references.is_empty()) {
            return Err(Response::refusal(422, 42201, "References between schemas are not supported by this registry"));
        }
        let schema = body["schema"].as_str().ok_or_else(|| Response::refusal(422, 42201, "Empty schema"))?;
        let kind = body["schemaType"].as_str().unwrap_or("AVRO");
        Ok(Self { schema: schema.to_owned(), kind: kind.to_owned() })
    }
}

fn describe(store: &Store, subject: &str, entry: &Entry) -> Result<Map<String, Value>, Response> {
    let stored = store.schema(entry.id)?;
    let mut body = Map::new();
    body.insert("subject".to_owned(), json!(subject));
    body.insert("version".to_owned(), json!(entry.version));
    body.insert("id".to_owned(), json!(entry.id));
    if stored.kind != "AVRO" {
        body.insert("schemaType".to_owned(), json!(stored.kind));
    }
    body.insert("schema".to_owned(), json!(stored.text));
    Ok(body)
}

/// The schema itself as the body, which for Avro and JSON Schema is a JSON document.
fn raw(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

/// A version as a path names it; nothing for `latest`.
fn parse_version(text: &str) -> Result<Option<u32>, Response> {
    if text == "latest" || text == "-1" {
        return Ok(None);
    }
    match text.parse::<u32>() {
        Ok(version) if (1..=i32::MAX.unsigned_abs()).contains(&version) => Ok(Some(version)),
        _ => Err(Response::refusal(
            422,
            42202,
            format!(
                "The specified version '{text}' is not a valid version id. Allowed values are between [1, 2^31-1] and the \
                 string \"latest\""
            ),
        )),
    }
}

fn parse_id(text: &str) -> Result<u32, Response> {
    text.parse().map_err(|_| not_found())
}

fn not_found() -> Response {
    Response::refusal(404, 404, "HTTP 404 Not Found")
}

fn unreadable(error: &serde_json::Error) -> Response {
    Response::refusal(400, 400, format!("Unable to process JSON: {error}"))
}

/// Subjects arrive percent-encoded (`a%2Fb`); an invalid escape stays as it is.
fn decode_percent(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match (first, tail) {
            (b'%', [high, low, ..]) => {
                std::str::from_utf8(&[*high, *low]).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok())
            }
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::SubjectNotFound(subject) => Self::refusal(404, 40401, format!("Subject '{subject}' not found.")),
            Refusal::VersionNotFound(version) => Self::refusal(404, 40402, format!("Version {version} not found.")),
            Refusal::SchemaNotFound => Self::refusal(404, 40403, "Schema not found"),
            Refusal::NotSoftDeleted(subject) => Self::refusal(
                404,
                40405,
                format!("Subject '{subject}' was not deleted first before being permanently deleted"),
            ),
            Refusal::SchemaInvalid(detail) => Self::refusal(422, 42201, format!("Invalid schema: {detail}")),
            Refusal::Incompatible { subject, reasons } => Self::refusal(
                409,
                409,
                format!(
                    "Schema being registered is incompatible with an earlier schema for subject \"{subject}\", details: \
                     {reasons:?}"
                ),
            ),
        }
    }
}
