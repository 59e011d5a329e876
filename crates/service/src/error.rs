//! How a service ends other than by being stopped, and the exit code of each.

use throughline_kafka::driver::DriverError;

/// Why the service could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// A file that the configuration names cannot be used.
    #[error("{0}")]
    Configuration(String),
    /// No broker answered.
    #[error("kafka is not reachable: {0}")]
    Unreachable(String),
    /// Topics, schemas or state do not fit this deployment.
    #[error("{0}")]
    Mismatch(String),
    /// Another deployment uses our transactional ids.
    #[error("{0}")]
    Fenced(String),
    /// Anything else.
    #[error("{0}")]
    Unexpected(String),
}

impl ServiceError {
    /// The documented exit code.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Unexpected(_) => 1,
            Self::Configuration(_) => 2,
            Self::Unreachable(_) => 3,
            Self::Mismatch(_) => 4,
            Self::Fenced(_) => 5,
        }
    }
}

impl From<DriverError> for ServiceError {
    fn from(error: DriverError) -> Self {
        let text = error.to_string();
        match error {
            DriverError::Unreachable(_) => Self::Unreachable(text),
            DriverError::State { .. } | DriverError::Input { .. } | DriverError::Refused(_) => Self::Mismatch(text),
            DriverError::FencedRepeatedly(..) | DriverError::Superseded(_) => Self::Fenced(text),
            DriverError::Client(_) | DriverError::Thread(_) => Self::Unexpected(text),
        }
    }
}
