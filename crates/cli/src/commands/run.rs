//! `throughline run`.

use anyhow::Result;

use crate::arguments::RunArguments;
use crate::context::Context;
use crate::exit::Exit;

/// Runs the command.
///
/// # Errors
/// Always: it is not built yet.
pub fn run(_arguments: &RunArguments, _context: &Context) -> Result<Exit> {
    super::not_built("run")
}
