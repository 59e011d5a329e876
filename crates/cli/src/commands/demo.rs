//! `throughline demo`.

use anyhow::Result;

use crate::arguments::DemoArguments;
use crate::context::Context;
use crate::exit::Exit;

/// Runs the command.
///
/// # Errors
/// Always: it is not built yet.
pub fn run(_arguments: &DemoArguments, _context: &Context) -> Result<Exit> {
    super::not_built("demo")
}
