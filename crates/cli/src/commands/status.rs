//! `throughline status`.

use anyhow::Result;

use crate::arguments::StatusArguments;
use crate::context::Context;
use crate::exit::Exit;

/// Runs the command.
///
/// # Errors
/// Always: it is not built yet.
pub fn run(_arguments: &StatusArguments, _context: &Context) -> Result<Exit> {
    super::not_built("status")
}
