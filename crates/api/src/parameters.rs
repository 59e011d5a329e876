//! Query parameters, read strictly: an unknown or odd one is an error that says what is taken.

use std::str::FromStr;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use serde::Deserialize;
use throughline_model::alert::{AlertSeverity, AlertState, AlertType};
use throughline_model::{CustomerId, EventTime, IdentifierType};
use throughline_view::{AlertQuery, CustomerQuery, PageLimit};
use utoipa::IntoParams;

use crate::error::{ApiError, ErrorCode};

const PURPOSE_CHARACTERS_MAX: usize = 200;
const VALUE_BYTES_MAX: usize = 512;

/// Parameters of a look-up by id.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CustomerParameters {
    /// Decay the scores to this event time: RFC 3339, or milliseconds since 1970.
    at: Option<String>,
    /// Why you look, for the audit record; at most 200 characters.
    purpose: Option<String>,
}

/// Parameters of a list of customers, or of a look-up by identifier (`type` and `value`).
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CustomersParameters {
    /// Order of the list; `score` (relationship score, lowest first) is the only one and the default.
    order: Option<String>,
    /// Entries at most, 1 to 500; 50 without it.
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Type of an identifier, for a look-up: `customer_id`, `email`, `phone`, ...
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The identifier as people write it, for a look-up.
    value: Option<String>,
    /// As for a look-up by id.
    at: Option<String>,
    /// As for a look-up by id.
    purpose: Option<String>,
}

/// Parameters of a list of alerts.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AlertsParameters {
    /// Only this state: `open`, `acknowledged`, `snoozed`, `resolved`, `expired`, `retracted`, `suppressed`.
    state: Option<String>,
    /// Only this severity: `P1`, `P2`, `P3`, `ops`.
    severity: Option<String>,
    /// Only this alert type.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Entries at most, 1 to 500; 50 without it.
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A look-up by id, read.
#[derive(Debug)]
pub(crate) struct Lookup {
    pub(crate) at: Option<EventTime>,
    pub(crate) purpose: String,
}

/// What `/v1/customers` was asked for.
#[derive(Debug)]
pub(crate) enum CustomersRequest {
    Page(CustomerQuery),
    Find { kind: IdentifierType, value: String, lookup: Lookup },
}

/// The parameters, or the error that names the odd one.
pub(crate) fn query<T>(parameters: Result<Query<T>, QueryRejection>) -> Result<T, ApiError> {
    match parameters {
        Ok(Query(parameters)) => Ok(parameters),
        Err(rejection) => Err(invalid(rejection.body_text())),
    }
}

/// A customer id in a path.
pub(crate) fn customer_id(text: &str) -> Result<CustomerId, ApiError> {
    CustomerId::from_hex(text)
        .ok_or_else(|| invalid("a customer id has 34 lower-case hex digits, the first two 00 to 09"))
}

impl CustomerParameters {
    pub(crate) fn read(self) -> Result<Lookup, ApiError> {
        lookup(self.at.as_deref(), self.purpose)
    }
}

impl CustomersParameters {
    pub(crate) fn read(self) -> Result<CustomersRequest, ApiError> {
        match (self.kind, self.value) {
            (Some(kind), Some(value)) => {
                if self.order.is_some() || self.limit.is_some() || self.cursor.is_some() {
                    return Err(invalid("`type` and `value` look one customer up and take no order, limit or cursor"));
                }
                if value.is_empty() || value.len() > VALUE_BYTES_MAX {
                    return Err(invalid(format!("`value` has 1 to {VALUE_BYTES_MAX} bytes")));
                }
                let kind = member("type", &kind, IdentifierType::ALL, IdentifierType::as_str)?;
                Ok(CustomersRequest::Find { kind, value, lookup: lookup(self.at.as_deref(), self.purpose)? })
            }
            (None, None) => {
                if self.at.is_some() || self.purpose.is_some() {
                    return Err(invalid("`at` and `purpose` belong to a look-up of one customer"));
                }
                if self.order.is_some_and(|order| order != "score") {
                    return Err(invalid("`order` is `score`"));
                }
                Ok(CustomersRequest::Page(CustomerQuery { limit: limit(self.limit)?, after: cursor(self.cursor)? }))
            }
            _ => Err(invalid("`type` and `value` belong together")),
        }
    }
}

impl AlertsParameters {
    pub(crate) fn read(self) -> Result<AlertQuery, ApiError> {
        let state = self.state.map(|name| member("state", &name, AlertState::ALL, AlertState::as_str)).transpose()?;
        let severity = self
            .severity
            .map(|name| member("severity", &name, AlertSeverity::ALL, AlertSeverity::as_str))
            .transpose()?;
        let alert_type = self.kind.map(|name| member("type", &name, AlertType::ALL, AlertType::as_str)).transpose()?;
        Ok(AlertQuery { state, severity, alert_type, limit: limit(self.limit)?, after: cursor(self.cursor)? })
    }
}

/// A time as every JSON answer writes it: RFC 3339 with milliseconds and `Z`. Beyond year 9999 the integer is kept.
#[must_use]
pub fn rfc3339(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis).map_or_else(|_| millis.to_string(), |time| format!("{time:.3}"))
}

fn lookup(at: Option<&str>, purpose: Option<String>) -> Result<Lookup, ApiError> {
    let purpose = purpose.unwrap_or_default();
    if purpose.chars().count() > PURPOSE_CHARACTERS_MAX {
        return Err(invalid(format!("`purpose` has at most {PURPOSE_CHARACTERS_MAX} characters")));
    }
    Ok(Lookup { at: at.map(time).transpose()?, purpose })
}

fn time(text: &str) -> Result<EventTime, ApiError> {
    // A plus sign in a query means a space, and people forget to escape the one of a zone.
    let text = text.replace(' ', "+");
    let millis = match text.parse::<i64>() {
        Ok(millis) => millis,
        Err(_) => jiff::Timestamp::from_str(&text)
            .map_err(|_| invalid("`at` is an RFC 3339 time with a zone, or milliseconds since 1970"))?
            .as_millisecond(),
    };
    Ok(EventTime::from_millis(millis))
}

fn limit(text: Option<String>) -> Result<PageLimit, ApiError> {
    let Some(text) = text else { return Ok(PageLimit::default()) };
    let limit = text.parse().ok().and_then(PageLimit::new);
    limit.ok_or_else(|| invalid(format!("`limit` is a number from 1 to {}", PageLimit::MAX)))
}

fn cursor<C: FromStr>(text: Option<String>) -> Result<Option<C>, ApiError> {
    let read =
        |text: String| text.parse().map_err(|_| ApiError::new(ErrorCode::InvalidCursor, "no cursor of this route"));
    text.map(read).transpose()
}

fn member<T: Copy>(parameter: &str, name: &str, all: &[T], as_str: impl Fn(T) -> &'static str) -> Result<T, ApiError> {
    all.iter().copied().find(|member| as_str(*member) == name).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|member| as_str(*member)).collect();
        invalid(format!("`{parameter}` is one of {}", names.join(", ")))
    })
}

fn invalid(text: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::InvalidParameter, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_both_spellings() {
        for text in ["1767225600000", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00 01:00", "2026-01-01T01:00:00+01:00"]
        {
            assert_eq!(time(text).map(EventTime::as_millis).ok(), Some(1_767_225_600_000), "{text}");
        }
        assert!(time("yesterday").is_err());
        assert_eq!(rfc3339(1_767_225_600_001), "2026-01-01T00:00:00.001Z");
    }

    #[test]
    fn halves_of_a_lookup_are_refused() {
        let read = |kind: Option<&str>, value: Option<&str>, limit: Option<&str>| {
            CustomersParameters {
                kind: kind.map(str::to_owned),
                value: value.map(str::to_owned),
                limit: limit.map(str::to_owned),
                ..CustomersParameters::default()
            }
            .read()
        };
        assert!(read(Some("email"), None, None).is_err());
        assert!(read(None, Some("ann@example.org"), None).is_err());
        assert!(read(Some("email"), Some("ann@example.org"), Some("5")).is_err());
        assert!(read(Some("shoe_size"), Some("42"), None).is_err());
        assert!(matches!(read(Some("email"), Some("ann@example.org"), None), Ok(CustomersRequest::Find { .. })));
        assert!(read(None, None, Some("0")).is_err());
        assert!(matches!(read(None, None, Some("500")), Ok(CustomersRequest::Page(_))));
    }
}
