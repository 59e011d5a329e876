//! `throughline test`.

use anyhow::Result;

use crate::arguments::TestArguments;
use crate::context::Context;
use crate::exit::Exit;

/// Runs the command.
///
/// # Errors
/// Always: it is not built yet.
pub fn run(_arguments: &TestArguments, _context: &Context) -> Result<Exit> {
    super::not_built("test")
}
