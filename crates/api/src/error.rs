//! Errors as callers see them: a closed code, a sentence, the request, and where to read more.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use throughline_model::closed_set;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

closed_set! {
    /// Every error of the interface. A minor version may add one.
    pub enum ErrorCode {
        /// No such route.
        UnknownRoute = "unknown_route",
        /// The interface only reads.
        MethodNotAllowed = "method_not_allowed",
        /// A parameter is unknown, missing, or not as described.
        InvalidParameter = "invalid_parameter",
        /// A cursor that this version did not write.
        InvalidCursor = "invalid_cursor",
        /// No bearer token, or one nobody knows.
        Unauthenticated = "unauthenticated",
        /// The token's role, or the host name, does not allow it.
        Forbidden = "forbidden",
        /// No customer by that id or identifier.
        UnknownCustomer = "unknown_customer",
        /// The partition of that customer is being restored or not assigned yet.
        Restoring = "restoring",
        /// Too many scans at once.
        Busy = "busy",
        /// The look-up could not be written to the audit topic, so it was not answered.
        AuditUnavailable = "audit_unavailable",
        /// Took too long.
        Timeout = "timeout",
        /// Something broke inside; the log knows what, by request id.
        Internal = "internal",
    }
}

/// Page of `throughline explain` for an [`ErrorCode`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainPage {
    /// What happened.
    pub cause: &'static str,
    /// What to look at.
    pub check: &'static str,
    /// What to do.
    pub fix: &'static str,
}

impl ErrorCode {
    /// The code that `throughline explain` takes.
    #[must_use]
    pub fn explain_code(self) -> String {
        format!("TL-H{:02}", self.code() + 1)
    }

    /// HTTP status.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::UnknownRoute | Self::UnknownCustomer => 404,
            Self::MethodNotAllowed => 405,
            Self::InvalidParameter | Self::InvalidCursor => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::Restoring | Self::Busy | Self::AuditUnavailable => 503,
            Self::Timeout => 504,
            Self::Internal => 500,
        }
    }

    /// The page of `throughline explain`.
    #[must_use]
    pub const fn page(self) -> ExplainPage {
        let (cause, check, fix) = match self {
            Self::UnknownRoute => (
                "The interface has no such route.",
                "`/v1/openapi.json` lists every route.",
                "Correct the path; routes of a newer version need that version.",
            ),
            Self::MethodNotAllowed => (
                "The interface only reads: GET and HEAD.",
                "Which command was meant: acknowledging and resolving alerts, consent and privacy have topics of their own.",
                "Write the command to its Kafka topic (`experience.alerts.commands` and the others).",
            ),
            Self::InvalidParameter => (
                "A query parameter is unknown, missing, or its value is not as described.",
                "The sentence in the error names the parameter and what it takes.",
                "Correct it; `/v1/openapi.json` describes each one.",
            ),
            Self::InvalidCursor => (
                "The cursor was not written by this version, or was cut.",
                "Cursors are opaque and belong to the route that gave them.",
                "Start again without a cursor.",
            ),
            Self::Unauthenticated => (
                "There is no bearer token, or one that no token file holds.",
                "`http.tokens` in `throughline config show`; the header `Authorization: Bearer ...`.",
                "Send a token of the role that the route needs.",
            ),
            Self::Forbidden => (
                "The token's role does not allow this, or, without tokens, the host name in the request is not loopback.",
                "Role `metrics` reads `/metrics`; `operate` also `/v1/status`; `read` also customers and alerts.",
                "Use a token of that role; from another host, configure token files.",
            ),
            Self::UnknownCustomer => (
                "No committed customer has that id or identifier.",
                "`throughline identity hash TYPE VALUE` prints the hash that is looked for; an erased or expired customer is gone.",
                "Check the type and the value; the newest touchpoints appear after their commit.",
            ),
            Self::Restoring => (
                "The partition of that customer is being restored, or no worker here owns it yet.",
                "`/v1/status` shows each restore with what remains.",
                "Ask again after the seconds in `Retry-After`.",
            ),
            Self::Busy => (
                "As many scans as allowed are running; a page of customers looks at the whole table.",
                "`throughline_query_seconds` by route.",
                "Ask again after `Retry-After`, or read the topic `experience.scores` instead of polling.",
            ),
            Self::AuditUnavailable => (
                "The audit record of this look-up was not acknowledged, so it was not answered.",
                "The topic `throughline.audit` exists and may be written; `throughline check --connect`.",
                "Restore the topic or the right to write it; look-ups work again at once.",
            ),
            Self::Timeout => (
                "The answer took longer than the limit of the interface.",
                "`throughline_query_seconds` by route; load of the machine.",
                "Ask for a smaller page, or again later.",
            ),
            Self::Internal => (
                "Something broke inside the process; it went on.",
                "The log line of ERROR level with the same request id.",
                "Report it with that line.",
            ),
        };
        ExplainPage { cause, check, fix }
    }
}

/// Body of every error.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// The error.
    pub(crate) error: ErrorDetail,
}

/// An error.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorDetail {
    /// Closed code.
    #[schema(schema_with = code_schema)]
    code: &'static str,
    /// What is wrong, for a person.
    message: String,
    /// Names the request in the log and in the audit record.
    request_id: String,
    /// The command that explains the code.
    documentation: String,
}

fn code_schema() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("Closed code; a minor version may add one"))
        .enum_values(Some(ErrorCode::ALL.iter().map(|code| code.as_str())))
        .build()
}

/// An error on its way out. The internal cause was logged where it was known.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
    pub(crate) retry_after: Option<Duration>,
}

impl ApiError {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: None }
    }

    pub(crate) fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    pub(crate) fn into_response(self, request_id: &str) -> Response<Body> {
        let body = ErrorBody {
            error: ErrorDetail {
                code: self.code.as_str(),
                message: self.message,
                request_id: request_id.to_owned(),
                documentation: format!("throughline explain {}", self.code.explain_code()),
            },
        };
        let status = StatusCode::from_u16(self.code.status()).expect("the table holds valid status codes");
        let mut response = json(status, &body);
        if let Some(wait) = self.retry_after {
            // Whole seconds, rounded up: asking too early only costs another round.
            let seconds = (wait.as_millis().div_ceil(1_000)).max(1);
            let value = HeaderValue::from_str(&seconds.to_string()).expect("digits are a header value");
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        if self.code == ErrorCode::Unauthenticated {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// A JSON response.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    let bytes = serde_json::to_vec(body).expect("bodies have string keys and finite numbers");
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_an_error_status_and_a_page() {
        for code in ErrorCode::ALL {
            assert!((400..600).contains(&code.status()), "{code}");
            assert!(code.page().cause.ends_with('.'), "{code}");
            assert!(code.page().fix.ends_with('.'), "{code}");
        }
        assert_eq!(ErrorCode::UnknownRoute.explain_code(), "TL-H01");
    }
}
