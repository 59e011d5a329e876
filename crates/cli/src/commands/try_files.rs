//! `throughline try`.

use anyhow::Result;

use crate::arguments::TryArguments;
use crate::context::Context;
use crate::exit::Exit;

/// Runs the command.
///
/// # Errors
/// Always: it is not built yet.
pub fn run(_arguments: &TryArguments, _context: &Context) -> Result<Exit> {
    super::not_built("try")
}
