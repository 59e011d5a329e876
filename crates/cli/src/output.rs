//! stdout is data, stderr is talk.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use serde_json::{Value, json};

/// Where a command writes.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// Whether data is JSON, one object a line.
    pub json: bool,
}

impl Output {
    /// A line of data.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn line(self, line: impl Display) -> io::Result<()> {
        writeln!(io::stdout().lock(), "{line}")
    }

    /// Data as it is.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn raw(self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        stdout.flush()
    }

    /// One JSON object, on one line unless a person is looking.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn object(self, object: &Value) -> io::Result<()> {
        if io::stdout().is_terminal() { self.line(format_args!("{object:#}")) } else { self.line(object) }
    }

    /// A remark. A closed stderr loses it, and nothing else.
    pub fn talk(self, line: impl Display) {
        let _ = writeln!(io::stderr().lock(), "{line}");
    }

    /// The end of a command that failed: the chain of causes, once.
    pub fn error(self, error: &anyhow::Error) {
        if self.json {
            self.talk(json!({"error": format!("{error:#}")}));
        } else {
            self.talk(format_args!("error: {error:#}"));
        }
    }
}

/// Whether the reader of our stdout has gone, as `head` does; that is no failure.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let cause = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
