//! Asking a running instance over its HTTP interface, for `inspect` and `status`.

use std::time::Duration;

use serde::Deserialize;
use throughline_config::{Config, HttpOptions, SecretSource, TlsOptions};
use ureq::Agent;

use crate::error::ServiceError;
use crate::secrets::secret;

/// How long an answer may take: longer than the interface itself gives a request, so that its own error arrives.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Longest answer that is read. A status of thousands of partitions is the largest.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// Which token a question needs, where the interface has any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// About a customer: `http.read_token`.
    Customer,
    /// About the service: `http.operate_token`, else `http.read_token`.
    Service,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// Nobody answers there.
    #[error("no instance answers at {url}: {cause}")]
    Silent {
        /// Where it was asked.
        url: String,
        /// The cause.
        cause: String,
    },
    /// The instance answers with an error of its interface.
    #[error("{0}")]
    Refused(Refusal),
    /// Something else answers there.
    #[error("what answers at {url} is no instance of throughline: {cause}")]
    Foreign {
        /// Where it was asked.
        url: String,
        /// What came.
        cause: String,
    },
    /// The configuration does not say how to ask.
    #[error(transparent)]
    Configuration(#[from] ServiceError),
}

/// An error of the interface.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Closed code, `unknown_customer`.
    pub code: String,
    /// A sentence.
    pub text: String,
    /// The command that explains the code.
    pub documentation: String,
    /// Seconds after which to ask again, if the instance says so.
    pub retry_after_seconds: Option<u64>,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    error: ErrorParts,
}

#[derive(Deserialize)]
struct ErrorParts {
    code: String,
    #[serde(rename = "message")]
    text: String,
    documentation: String,
}

/// A running instance.
#[derive(Debug)]
pub struct Remote {
    agent: Agent,
    url: String,
    token: Option<String>,
}

impl Remote {
    /// The instance at `url`, else the one that this configuration runs.
    ///
    /// # Errors
    /// If there is no address, or a token cannot be read.
    pub fn new(config: &Config, url: Option<&str>, question: Question) -> Result<Self, RemoteError> {
        let url = match (url, &config.http) {
            (Some(url), _) => url.trim_end_matches('/').to_owned(),
            (None, Some(http)) => address(http),
            (None, None) => {
                let text = "http.enabled is false: this configuration serves no queries; name an instance with --url";
                return Err(ServiceError::Configuration(text.to_owned()).into());
            }
        };
        let token = config.http.as_ref().and_then(|http| token(http, question)).map(secret).transpose()?;
        let tls = crate::registry::tls_config(&TlsOptions::default())
            .map_err(|error| ServiceError::Configuration(format!("{error:#}")))?;
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            // An instance is inside the own network, and its answers are about customers: no proxy sees them.
            .proxy(None)
            .tls_config(tls)
            .build()
            .new_agent();
        Ok(Self { agent, url, token })
    }

    /// Where it is asked.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The JSON that a route answers.
    ///
    /// # Errors
    /// If nobody answers, or with an error.
    pub fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<serde_json::Value, RemoteError> {
        let mut request = self.agent.get(format!("{}{path}", self.url));
        for (name, value) in query {
            request = request.query(name, value);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {}", token.trim()));
        }
        let mut answer =
            request.call().map_err(|error| RemoteError::Silent { url: self.url.clone(), cause: error.to_string() })?;
        let status = answer.status().as_u16();
        let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let foreign = |cause: String| RemoteError::Foreign { url: self.url.clone(), cause };
        let text = answer
            .body_mut()
            .with_config()
            .limit(ANSWER_BYTES_MAX)
            .read_to_string()
            .map_err(|error| foreign(error.to_string()))?;
        if status == 200 {
            return serde_json::from_str(&text).map_err(|error| foreign(error.to_string()));
        }
        let parts = serde_json::from_str::<ErrorAnswer>(&text)
            .map_err(|_| foreign(format!("status {status} without an error of the interface")))?
            .error;
        Err(RemoteError::Refused(Refusal {
            status,
            code: parts.code,
            text: parts.text,
            documentation: parts.documentation,
            retry_after_seconds: retry_after,
        }))
    }
}

fn token(http: &HttpOptions, question: Question) -> Option<&SecretSource> {
    match question {
        Question::Customer => http.read_token.as_ref(),
        Question::Service => http.operate_token.as_ref().or(http.read_token.as_ref()),
    }
}

/// Where this machine reaches what listens there: an address that means all of them is asked on loopback.
fn address(http: &HttpOptions) -> String {
    match http.address {
        Some(at) if at.ip().is_unspecified() && at.is_ipv6() => format!("http://[::1]:{}", at.port()),
        Some(at) if at.ip().is_unspecified() => format!("http://127.0.0.1:{}", at.port()),
        Some(at) => format!("http://{at}"),
        None => format!("http://{}", http.listen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_are_asked_on_loopback() {
        for (listen, url) in [
            ("127.0.0.1:8088", "http://127.0.0.1:8088"),
            ("0.0.0.0:8088", "http://127.0.0.1:8088"),
            ("[::]:8088", "http://[::1]:8088"),
            ("localhost:8088", "http://localhost:8088"),
        ] {
            let http = HttpOptions {
                listen: listen.to_owned(),
                address: listen.parse().ok(),
                metrics_token: None,
                read_token: None,
                operate_token: None,
            };
            assert_eq!(address(&http), url);
        }
    }
}
