//! Where a value comes from, and what is wrong with it.

use std::fmt;

use serde_json::json;

/// Where a value was set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// In the embedded `default.toml`, at this line.
    Default {
        /// Line, from 1.
        line: usize,
    },
    /// In a file.
    File {
        /// Path as it was given.
        file: String,
        /// Line, from 1; 0 means the file as a whole.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// In an environment variable.
    Environment {
        /// Name of the variable.
        variable: String,
    },
    /// In a flag of the command line.
    Flag {
        /// The flag as it was given, without its value.
        flag: String,
    },
    /// Nowhere: it follows from something else.
    Derived {
        /// What it follows from.
        from: String,
    },
}

impl Origin {
    /// Whether a person set it, rather than the defaults.
    #[must_use]
    pub const fn is_set(&self) -> bool {
        !matches!(self, Self::Default { .. } | Self::Derived { .. })
    }

    /// Where a mistake stands in a list: a person reads their file from top to bottom first.
    pub(crate) const fn reading_order(&self) -> (u8, usize) {
        match self {
            Self::File { line, .. } => (0, *line),
            Self::Environment { .. } => (1, 0),
            Self::Flag { .. } => (2, 0),
            Self::Derived { .. } | Self::Default { .. } => (3, 0),
        }
    }

    /// For a reader of JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Default { line } => json!({"layer": "default", "line": line}),
            Self::File { file, line, column } => {
                json!({"layer": "file", "file": file, "line": line, "column": column})
            }
            Self::Environment { variable } => json!({"layer": "environment", "variable": variable}),
            Self::Flag { flag } => json!({"layer": "flag", "flag": flag}),
            Self::Derived { from } => json!({"layer": "derived", "from": from}),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default { line } => write!(out, "default.toml:{line} (built in)"),
            Self::File { file, line: 0, .. } => out.write_str(file),
            Self::File { file, line, column } => write!(out, "{file}:{line}:{column}"),
            Self::Environment { variable } => write!(out, "environment variable {variable}"),
            Self::Flag { flag } => write!(out, "flag {flag}"),
            Self::Derived { from } => write!(out, "derived from {from}"),
        }
    }
}

/// The part of a line that an error is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    /// The line, cut after the key where the value may be a secret.
    pub line: String,
    /// Characters before the part.
    pub indent: usize,
    /// Characters of the part.
    pub width: usize,
}

/// One mistake in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// Path of the key, `kafka.brokers`.
    pub key: String,
    /// What is wrong, a lowercase fragment.
    pub problem: String,
    /// What would be right.
    pub help: Vec<String>,
    /// Where it was set.
    pub origin: Origin,
    /// The place in the file, if it was set in one.
    pub snippet: Option<Snippet>,
}

impl ConfigError {
    /// A mistake without a place in a file.
    pub fn new(key: impl Into<String>, origin: Origin, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into(), help: Vec::new(), origin, snippet: None }
    }

    /// With what would be right.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// For a reader of JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        json!({"key": self.key, "problem": self.problem, "help": self.help, "origin": self.origin.to_json()})
    }
}

/// Several lines, as compilers print a mistake.
impl fmt::Display for ConfigError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            writeln!(out, "error: {}", self.problem)?;
        } else {
            writeln!(out, "error: `{}`: {}", self.key, self.problem)?;
        }
        write_place(out, &self.origin, self.snippet.as_ref())?;
        for help in &self.help {
            write!(out, "\n  = help: {help}")?;
        }
        Ok(())
    }
}

/// Something that works but deserves a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigWarning {
    /// Path of the key.
    pub key: String,
    /// What to look at, a lowercase fragment.
    pub problem: String,
    /// Where it was set.
    pub origin: Origin,
}

impl ConfigWarning {
    /// For a reader of JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        json!({"key": self.key, "problem": self.problem, "origin": self.origin.to_json()})
    }
}

impl fmt::Display for ConfigWarning {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "warning: `{}`: {}", self.key, self.problem)?;
        write_place(out, &self.origin, None)
    }
}

fn write_place(out: &mut fmt::Formatter<'_>, origin: &Origin, snippet: Option<&Snippet>) -> fmt::Result {
    write!(out, "  --> {origin}")?;
    let (Some(snippet), Origin::File { line, .. }) = (snippet, origin) else { return Ok(()) };
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    let indent = " ".repeat(snippet.indent);
    let mark = "^".repeat(snippet.width.max(1));
    write!(out, "\n {margin} |\n {number} | {}\n {margin} | {indent}{mark}", snippet.line)
}
