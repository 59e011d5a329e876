//! Exit codes. They are public and stable.

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// Something else failed; the error says what.
    Unexpected = 1,
    /// Bad configuration or wrong flags; nothing was started.
    Configuration = 2,
    /// No broker answered.
    KafkaUnreachable = 3,
    /// Schemas or state do not fit this version or this configuration.
    Mismatch = 4,
    /// Another deployment or process took over.
    Fenced = 5,
    /// A check ran and found problems.
    FoundProblems = 6,
}

impl Exit {
    /// Every exit code, in order.
    pub const ALL: &'static [Self] = &[
        Self::Ok,
        Self::Unexpected,
        Self::Configuration,
        Self::KafkaUnreachable,
        Self::Mismatch,
        Self::Fenced,
        Self::FoundProblems,
    ];

    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Its meaning in a few words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done",
            Self::Unexpected => "something else failed",
            Self::Configuration => "bad configuration or wrong flags",
            Self::KafkaUnreachable => "no broker answered",
            Self::Mismatch => "schemas or state do not fit",
            Self::Fenced => "fenced by another deployment or process",
            Self::FoundProblems => "a check found problems",
        }
    }

    /// The code that `throughline explain` takes.
    pub fn explain_code(self) -> String {
        format!("TL-E{}", self.code())
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
