//! Expected outputs against those that came: members that an expectation names must match, others may be anything.

use std::collections::BTreeMap;

use serde_json::Value;

/// Largest difference of two numbers that are the same; published numbers are rounded to as many digits.
const TOLERANCE: f64 = 1e-6;
/// Differences that a failure lists.
const DIFFERENCES_MAX: usize = 12;

/// One line of an expectation file.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// Its line, from 1.
    pub line: usize,
    /// Topic, or `fate`.
    group: String,
    /// How many must match; none: one, after the one before of the same group.
    count: Option<u64>,
    /// What must match.
    members: Value,
}

/// Reads an expectation file: one object a line, empty lines and lines that start with `#` pass.
///
/// # Errors
/// The line that is no expectation, and why.
pub fn parse(text: &str) -> Result<Vec<Expectation>, String> {
    let mut expectations = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        if text.trim().is_empty() || text.trim_start().starts_with('#') {
            continue;
        }
        let mut members: Value = serde_json::from_str(text).map_err(|error| format!("line {line}: {error}"))?;
        let object = members.as_object_mut().ok_or_else(|| format!("line {line}: not an object"))?;
        let count = match object.remove("count") {
            None => None,
            Some(count) => Some(count.as_u64().ok_or_else(|| format!("line {line}: `count` is not a count"))?),
        };
        let group = match (object.contains_key("fate"), object.get("topic").and_then(Value::as_str)) {
            (true, None) => "fate".to_owned(),
            (false, Some(topic)) => topic.to_owned(),
            _ => return Err(format!("line {line}: needs either `topic` or `fate`")),
        };
        expectations.push(Expectation { line, group, count, members });
    }
    if expectations.is_empty() {
        return Err("expects nothing".to_owned());
    }
    Ok(expectations)
}

/// What does not hold, in words; empty if everything does.
pub fn check(expectations: &[Expectation], actual: &[Value]) -> Vec<String> {
    let mut failures = Vec::new();
    // Per group, where the search for the next expectation starts.
    let mut from: BTreeMap<&str, usize> = BTreeMap::new();
    for expectation in expectations {
        let group: Vec<&Value> = actual.iter().filter(|value| group_of(value) == expectation.group).collect();
        let matches = |value: &&Value| differences(&expectation.members, value).is_empty();
        match expectation.count {
            Some(count) => {
                let found = group.iter().copied().filter(|value| matches(value)).count() as u64;
                if found != count {
                    failures.push(format!(
                        "line {}: expected {count} of {}, found {found}",
                        expectation.line, expectation.members
                    ));
                }
            }
            None => {
                let start = from.entry(&expectation.group).or_default();
                match group[*start..].iter().position(matches) {
                    Some(at) => *start += at + 1,
                    None => failures.push(missing(expectation, &group[*start..], group.len())),
                }
            }
        }
    }
    failures
}

fn group_of(value: &Value) -> &str {
    value["topic"].as_str().unwrap_or("fate")
}

fn missing(expectation: &Expectation, rest: &[&Value], all: usize) -> String {
    let Expectation { line, group, members, .. } = expectation;
    let nearest = rest.iter().map(|value| differences(members, value)).min_by_key(Vec::len);
    let Some(mut differences) = nearest else {
        return format!("line {line}: nothing left of {group}, which has {all}; expected\n    {members}");
    };
    let more = differences.len().saturating_sub(DIFFERENCES_MAX);
    differences.truncate(DIFFERENCES_MAX);
    let mut text = format!("line {line}: no record of {group} matches; the nearest differs in");
    for difference in differences {
        text.push_str("\n    ");
        text.push_str(&difference);
    }
    if more > 0 {
        text.push_str(&format!("\n    and {more} more"));
    }
    text
}

/// Where `actual` is not what `expected` names.
fn differences(expected: &Value, actual: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", expected, actual, &mut found);
    found
}

fn compare(path: &str, expected: &Value, actual: &Value, found: &mut Vec<String>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            for (name, expected) in expected {
                compare(&below(name), expected, actual.get(name).unwrap_or(&Value::Null), found);
            }
        }
        (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
            for (at, (expected, actual)) in expected.iter().zip(actual).enumerate() {
                compare(&below(&at.to_string()), expected, actual, found);
            }
        }
        (Value::Array(expected), Value::Array(actual)) => {
            found.push(format!("{path}: expected {} members, found {}", expected.len(), actual.len()));
        }
        (Value::Number(expected), Value::Number(actual)) if is_close(expected, actual) => {}
        (expected, actual) if expected == actual => {}
        (expected, Value::Null) => found.push(format!("{path}: expected {expected}, found nothing")),
        (expected, actual) => found.push(format!("{path}: expected {expected}, found {actual}")),
    }
}

fn is_close(expected: &serde_json::Number, actual: &serde_json::Number) -> bool {
    let pair = expected.as_f64().zip(actual.as_f64());
    pair.is_some_and(|(expected, actual)| (expected - actual).abs() <= TOLERANCE)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn actual() -> Vec<Value> {
        vec![
            json!({"topic": "scores", "key": "a", "value": {"n": 1, "x": 0.300_000_4, "list": [{"a": 1, "b": 2}]}}),
            json!({"topic": "alerts", "value": {"type": "severe_moment"}}),
            json!({"topic": "scores", "key": "a", "value": {"n": 2, "x": 0.5}}),
            json!({"topic": null, "fate": "rejected", "reason": "undecodable", "line": 3}),
        ]
    }

    fn failures(text: &str) -> Vec<String> {
        check(&parse(text).expect("expectations"), &actual())
    }

    #[test]
    fn named_members_match_in_the_order_of_their_topic() {
        let text = r#"
            # A remark.
            {"topic":"scores","value":{"n":1,"x":0.3,"list":[{"b":2}]}}
            {"topic":"scores","value":{"n":2,"merged_into":null}}
            {"topic":"alerts"}
            {"fate":"rejected","reason":"undecodable"}
            {"topic":"scores","key":"a","count":2}
            {"topic":"customers","count":0}"#;
        assert_eq!(failures(text), [""; 0]);
    }

    #[test]
    fn failures_say_what_the_nearest_record_has_instead() {
        let found = failures("{\"topic\":\"scores\",\"value\":{\"n\":2,\"x\":0.6,\"y\":1}}");
        assert_eq!(
            found,
            [
                "line 1: no record of scores matches; the nearest differs in\n    value.x: expected 0.6, found 0.5\n    value.y: expected 1, found nothing"
            ]
        );
        let found = failures("{\"topic\":\"alerts\"}\n{\"topic\":\"alerts\"}\n{\"topic\":\"scores\",\"count\":1}");
        assert_eq!(
            found,
            [
                "line 2: nothing left of alerts, which has 1; expected\n    {\"topic\":\"alerts\"}",
                "line 3: expected 1 of {\"topic\":\"scores\"}, found 2"
            ]
        );
    }

    #[test]
    fn what_is_no_expectation_is_named_with_its_line() {
        for (text, problem) in [
            ("\n{", "line 2: EOF"),
            ("7", "line 1: not an object"),
            ("{}", "line 1: needs either"),
            ("{\"topic\":\"a\",\"count\":-1}", "line 1: `count`"),
            ("# nothing", "expects nothing"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.starts_with(problem), "{error}");
        }
    }
}
